#include "cuda/emulator/block.h"

#include <cstring>

#include "cuda/emulator/kernel.h"

namespace star::emulator {
namespace {

thread_local Block* running_block = nullptr;

std::string text_of(const std::source_location& where) {
  return fmt::format("{}:{}", where.file_name(), where.line());
}

Dim3 place_in(const Dim3& size, uint64_t index) {
  return {uint32_t(index % size.x), uint32_t(index / size.x % size.y),
          uint32_t(index / size.x / size.y)};
}

void check_sizes(const Launch& launch) {
  auto refuse = [&](const std::string& what) {
    fail("cuda emulator: {}, in the launch at {}", what, text_of(launch.where));
  };
  const Dim3& grid = launch.grid;
  if (grid.count() == 0) refuse("a grid without blocks");
  if (grid.x > INT32_MAX || grid.y > 65535 || grid.z > 65535)
    refuse(fmt::format("a grid of {} × {} × {} blocks", grid.x, grid.y, grid.z));
  uint64_t threads = launch.block.count();
  if (threads == 0 || threads > kMostThreads)
    refuse(fmt::format("{} threads in a block, of at most {}", threads, kMostThreads));
  if (launch.shared > kMostShared)
    refuse(fmt::format("{} bytes of shared memory, of at most {}", launch.shared, kMostShared));
}

}  // namespace

void run_grid(const Launch& launch, const std::function<void()>& body) {
  static uint32_t launches = 0;
  std::lock_guard lock(device_mutex());
  check_sizes(launch);
  Block block(launch, ++launches, body);
  gridDim = launch.grid;
  blockDim = launch.block;
  for (uint64_t i = 0; i < launch.grid.count(); ++i) block.run(uint32_t(i));
}

std::mutex& device_mutex() {
  static std::mutex mutex;
  return mutex;
}

Block* Block::current() { return running_block; }

Block::Block(const Launch& launch, uint32_t launch_number, const std::function<void()>& body)
    : launch_(launch),
      body_(body),
      number_(launch_number),
      count_(uint32_t(launch.block.count())),
      shared_(launch.shared),
      histories_(launch.shared / 4 + 1) {
  running_block = this;
}

Block::~Block() { running_block = nullptr; }

void Block::run(uint32_t index) {
  index_ = index;
  epoch_ = next_fresh_ = 0;
  threads_.assign(count_, {});
  histories_.assign(histories_.size(), {});  // shared memory lives as long as its block
  blockIdx = place_in(launch_.grid, index);
  start_fresh_threads();
  while (!all_done()) {
    bool any = release_shuffles();
    if (!any) any = release_barrier();
    if (!any) explain_standstill();
    resume_ready_threads();
  }
}

// A fiber plays one thread after the other until one has to wait, which keeps the fiber: a kernel
// without barriers needs a single one.
void Block::play() {
  while (true) {
    while (next_fresh_ < count_ && !failure_) {
      uint32_t mine = next_fresh_++;
      enter(mine);
      try {
        body_();
      } catch (...) {
        failure_ = std::current_exception();
      }
      threads_[thread_].state = State::done;
    }
    Fiber* self = running_;
    idle_.push_back(self);
    self->suspend();
  }
}

void Block::start_fresh_threads() {
  while (next_fresh_ < count_) {
    if (idle_.empty()) {
      fibers_.push_back(std::make_unique<Fiber>([this] { play(); }));
      idle_.push_back(fibers_.back().get());
    }
    running_ = idle_.back();
    idle_.pop_back();
    running_->resume();
    if (failure_) std::rethrow_exception(failure_);
  }
}

void Block::resume_ready_threads() {
  for (uint32_t i = 0; i < count_; ++i) {
    if (threads_[i].state != State::ready) continue;
    enter(i);
    running_ = threads_[i].fiber;
    running_->resume();
    if (failure_) std::rethrow_exception(failure_);
  }
}

void Block::enter(uint32_t thread) {
  thread_ = thread;
  threadIdx = place_in(launch_.block, thread);
}

void Block::wait(State state, const std::source_location& where) {
  Thread& t = threads_[thread_];
  t.state = state;
  t.where = where;
  t.fiber = running_;
  t.fiber->suspend();
}

void Block::barrier(const std::source_location& where) { wait(State::at_barrier, where); }

uint64_t Block::shuffle(uint32_t mask, uint64_t value, uint32_t from,
                        const std::source_location& where) {
  uint32_t first = thread_ - lane(), lanes = std::min(kWarp, count_ - first);
  if (!(mask >> lane() & 1))
    finding("a shuffle by lane {}, which its mask {:#010x} leaves out", lane(), mask);
  if (lanes < kWarp && mask >> lanes)
    finding("a shuffle with absent lanes: mask {:#010x} in a warp of {}", mask, lanes);
  if (!(mask >> from & 1)) finding("a shuffle from the absent lane {}", from);
  Thread& self = threads_[thread_];
  self.mask = mask;
  self.from = from;
  self.given = value;
  wait(State::at_shuffle, where);
  return self.received;
}

void Block::exchange(const Operands& own, const std::source_location& where) {
  if (count_ - (thread_ - lane()) < kWarp)
    finding("a product by a warp of {} lanes", count_ - (thread_ - lane()));
  Thread& self = threads_[thread_];
  self.operands[++self.exchanges % 2] = own;
  self.mask = ~0u;
  self.from = lane();
  wait(State::at_shuffle, where);
}

const Operands& Block::operands(uint32_t lane) const {
  const uint32_t turn = threads_[thread_].exchanges % 2;
  return threads_[thread_ - thread_ % kWarp + lane].operands[turn];
}

bool Block::release_shuffles() {
  bool any = false;
  for (uint32_t i = 0; i < count_; ++i) {
    Thread& t = threads_[i];
    if (t.state != State::at_shuffle) continue;
    uint32_t first = i - i % kWarp;
    bool complete = true;
    for (uint32_t lane = 0; lane < kWarp; ++lane) {
      if (!(t.mask >> lane & 1)) continue;
      const Thread& other = threads_[first + lane];
      complete = complete && (other.state == State::at_shuffle || other.state == State::ready) &&
                 other.mask == t.mask && other.where.line() == t.where.line();
    }
    if (!complete) continue;
    t.received = threads_[first + t.from].given;
    t.state = State::ready;
    any = true;
  }
  return any;
}

bool Block::release_barrier() {
  for (const Thread& t : threads_)
    if (t.state != State::at_barrier || t.where.line() != threads_[0].where.line() ||
        std::strcmp(t.where.file_name(), threads_[0].where.file_name()) != 0)
      return false;
  for (Thread& t : threads_) t.state = State::ready;
  ++epoch_;
  return true;
}

bool Block::all_done() const {
  for (const Thread& t : threads_)
    if (t.state != State::done) return false;
  return true;
}

// Some thread waits for one that will never come: names the first, and what another does.
void Block::explain_standstill() {
  auto doing = [&](uint32_t i) {
    const Thread& t = threads_[i];
    if (t.state == State::done) return fmt::format("thread {} has ended", i);
    return fmt::format("thread {} waits at the {} of {}", i,
                       t.state == State::at_barrier ? "barrier" : "shuffle", text_of(t.where));
  };
  for (uint32_t i = 0; i < count_; ++i) {
    if (threads_[i].state == State::done) continue;
    enter(i);
    bool at_shuffle = threads_[i].state == State::at_shuffle;
    for (uint32_t j = 0; j < count_; ++j) {
      bool named = !at_shuffle || (j / kWarp == i / kWarp && threads_[i].mask >> (j % kWarp) & 1);
      bool same = threads_[j].state == threads_[i].state && threads_[j].mask == threads_[i].mask &&
                  threads_[j].where.line() == threads_[i].where.line();
      if (!named || same) continue;
      finding("{}: {}, and {}",
              at_shuffle ? "a shuffle with an absent lane" : "a divergent barrier", doing(i),
              doing(j));
    }
  }
  finding("the threads of a block wait for each other");
}

std::string Block::place() const {
  return fmt::format("block {}, thread {} of the kernel launched at {}", index_, thread_,
                     text_of(launch_.where));
}

void race(const char* memory, bool write, const Access& before) {
  const Access now = Block::current()->access();
  bool elsewhere = before.block != now.block && std::strcmp(memory, "global") == 0;
  finding(
      "{} memory is {} where {} has touched it and no barrier lies between", memory,
      write ? "written" : "read",
      elsewhere ? fmt::format("block {}", before.block) : fmt::format("thread {}", before.thread));
}

}  // namespace star::emulator
