// Memory that a test and its worker processes share.
#pragma once

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <atomic>
#include <new>

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

}  // namespace star::synthesis
