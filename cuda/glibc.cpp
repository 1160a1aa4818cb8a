// What would ask for a newer glibc than the rest of the program, which 2.35 is enough for. The static
// libstdc++ of GCC 12 on Debian takes the numbers of std::random_device, which is linked in and never
// used, from a function that glibc has since 2.36.
#include <sys/random.h>

#include <cstdint>

extern "C" uint32_t arc4random() noexcept {
  uint32_t bits = 0;
  while (getrandom(&bits, sizeof bits, 0) != ssize_t(sizeof bits)) {
  }
  return bits;
}
