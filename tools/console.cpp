#include "tools/console.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "core/error.h"

namespace star::cli {
namespace {

// The error of the first write that failed, as far as it is known; 0: none has.
int output_error() {
  if (std::fflush(stdout) != 0) return errno;
  if (std::ferror(stdout)) return EIO;
  // Network file systems and quotas say when a descriptor is closed what they could not keep.
  const int copy = ::dup(STDOUT_FILENO);
  return copy >= 0 && ::close(copy) != 0 ? errno : 0;
}

}  // namespace

void hold_standard_streams() {
  int descriptor = 0;
  do descriptor = ::open("/dev/null", O_RDONLY);
  while (descriptor >= 0 && descriptor <= STDERR_FILENO);
  if (descriptor >= 0) ::close(descriptor);
  ::signal(SIGPIPE, SIG_IGN);
}

void say_text(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(size_t(written));
  }
}

void say_error(std::string_view text) { say("star: {}\n", Error(std::string(text)).what()); }

void flush_output() {
  if (const int error = output_error())
    throw std::system_error(error, std::generic_category(), "standard output");
}

int finish_output(int status) {
  const int error = output_error();
  if (error == 0) return status;
  say_error(fmt::format("standard output cannot be written: {}", std::strerror(error)));
  return status == 0 ? 1 : status;
}

}  // namespace star::cli
