#include "core/mapped_file.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "core/descriptor.h"
#include "core/error.h"

namespace star {

MappedFile::MappedFile(const std::string& path) {
  const RegularFile file(path);
  if (file.size == 0) return;  // nothing cannot be mapped
  void* data = ::mmap(nullptr, size_t(file.size), PROT_READ, MAP_SHARED, file.fd, 0);
  require(data != MAP_FAILED, "{}: {}", path, std::strerror(errno));
  bytes_ = {static_cast<const char*>(data), size_t(file.size)};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

}  // namespace star
