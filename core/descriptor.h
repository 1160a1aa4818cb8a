// An open file or socket, which is closed with the object.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>

namespace star {

struct Descriptor {
  int fd = -1;  // −1: none
  Descriptor() = default;
  explicit Descriptor(int value) : fd(value) {}
  Descriptor(Descriptor&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd, other.fd);
    return *this;
  }
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }

  bool open() const { return fd >= 0; }
  void close() { Descriptor(std::move(*this)); }
};

// A regular file to read, and its size in bytes. Errors: missing, not a regular file, unreadable.
struct RegularFile : Descriptor {
  explicit RegularFile(const std::string& path);
  int64_t size = 0;
};

}  // namespace star
