// Which thread touched a word of memory last, to find accesses that nothing orders. On a GPU two
// threads of a block are ordered by a barrier between them alone, threads of two blocks by nothing
// within a launch: whether a wrong result comes out there is chance, so the emulator does not wait
// for one but judges by that rule.
#pragma once

#include <cstdint>

namespace star::emulator {

// An access to a word: by which thread of which block of which launch, and how many barriers the
// block had passed. Launches count from 1: 0 is none.
struct Access {
  uint32_t launch = 0, block = 0, thread = 0, epoch = 0;
};

class History {
 public:
  // Each returns the access that it races with, or null, and notes the new one.
  const Access* read(const Access& now) {
    if (races(write_, now)) return &write_;
    if (read_.launch != now.launch) {
      read_ = now;
      many_blocks_ = many_threads_ = false;
    } else if (read_.block != now.block) {
      many_blocks_ = true;
    } else if (read_.epoch != now.epoch) {
      read_ = now;  // the threads that read before the barrier need no more attention
      many_threads_ = false;
    } else if (read_.thread != now.thread) {
      many_threads_ = true;
    }
    return nullptr;
  }
  const Access* write(const Access& now) {
    if (races(write_, now)) return &write_;
    if (races(read_, now)) return &read_;
    if (read_.launch == now.launch && (many_blocks_ || (many_threads_ && read_.epoch == now.epoch)))
      return &read_;
    write_ = now;
    return nullptr;
  }
  bool written() const { return write_.launch != 0; }

 private:
  static bool races(const Access& before, const Access& now) {
    return before.launch == now.launch &&
           (before.block != now.block ||
            (before.epoch == now.epoch && before.thread != now.thread));
  }

  Access write_, read_;                              // the last ones
  bool many_blocks_ = false, many_threads_ = false;  // read_ stands for others of its launch, epoch
};

}  // namespace star::emulator
