// An open file, which is closed with the object.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <string>

namespace star {

struct Descriptor {
  int fd;
  explicit Descriptor(int value) : fd(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

// A regular file to read, and its size in bytes. Errors: missing, not a regular file, unreadable.
struct RegularFile : Descriptor {
  explicit RegularFile(const std::string& path);
  int64_t size = 0;
};

}  // namespace star
