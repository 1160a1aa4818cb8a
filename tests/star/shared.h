// What tests of worker processes have in common: memory that they share, and a job without end.
#pragma once

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <atomic>
#include <new>
#include <string>

namespace star::synthesis {

struct Shared {
  std::atomic<int> flag, pid, count;

  static Shared* make() {
    void* memory =
        mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    return new (memory) Shared();
  }
  static void free(Shared* shared) { munmap(shared, sizeof(Shared)); }
};

inline std::string spin() {
  std::atomic<bool> never = false;
  while (!never) {
  }
  return "";
}

inline bool has(const std::string& text, const char* words) {
  return text.find(words) != text.npos;
}

}  // namespace star::synthesis
