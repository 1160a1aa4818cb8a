#include "core/arena.h"

#include <doctest/doctest.h>

#include <cstring>
#include <map>
#include <new>
#include <vector>

#include "core/rng.h"

using namespace star;

namespace {

// Every size of interest: around powers of two, around their eighths, and nothing.
std::vector<size_t> sizes() {
  std::vector<size_t> all = {0, 1, 63, 64, 65};
  for (size_t power = 128; power <= size_t(4) << 20; power *= 2)
    for (size_t size : {power - 1, power, power + 1, power + power / 8, power + power / 8 + 1})
      all.push_back(size);
  return all;
}

}  // namespace

TEST_CASE("arena: a block is large enough, aligned, its own, and at most an eighth too large") {
  Arena arena;
  std::vector<Storage*> blocks;
  for (size_t bytes : sizes()) {
    CAPTURE(bytes);
    Storage* block = arena.allocate(bytes);
    CHECK(block->bytes >= bytes);
    CHECK(block->bytes <= std::max<size_t>(64, bytes + bytes / 8 + 64));
    CHECK(reinterpret_cast<uintptr_t>(block->data) % 64 == 0);
    CHECK(block->references == 1);
    CHECK(block->arena == &arena);
    std::memset(block->data, int(blocks.size()), block->bytes);
    blocks.push_back(block);
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    auto* bytes = static_cast<unsigned char*>(blocks[i]->data);
    CHECK(bytes[0] == (unsigned char)i);
    CHECK(bytes[blocks[i]->bytes - 1] == (unsigned char)i);
    arena.release(blocks[i]);
  }
}

TEST_CASE("arena: the second step of the same sizes asks the system for nothing") {
  Arena arena;
  auto step = [&](bool backwards) {
    std::vector<Storage*> blocks;
    for (size_t bytes : sizes()) blocks.push_back(arena.allocate(bytes));
    for (size_t i = 0; i < blocks.size(); ++i)
      arena.release(blocks[backwards ? blocks.size() - 1 - i : i]);
  };
  step(false);
  int64_t allocations = arena.system_allocations();
  size_t reserved = arena.reserved_bytes(), peak = arena.peak_bytes();
  CHECK(allocations == int64_t(sizes().size()));
  for (int i = 0; i < 3; ++i) step(i % 2 == 0);
  CHECK(arena.system_allocations() == allocations);
  CHECK(arena.reserved_bytes() == reserved);
  CHECK(arena.peak_bytes() == peak);
  CHECK(arena.live_bytes() == 0);
}

// Random allocation and release against a plain account of it.
TEST_CASE("arena: live and peak bytes are those in use") {
  Arena arena;
  Rng rng(1, "arena");
  std::vector<Storage*> live;
  size_t bytes = 0, peak = 0;
  std::map<size_t, int> in_use, most;  // by block size
  for (int i = 0; i < 3000; ++i) {
    if (live.empty() || rng.chance(0.52)) {
      Storage* block = arena.allocate(rng.below(5000));
      for (Storage* other : live) REQUIRE(other->data != block->data);
      live.push_back(block);
      bytes += block->bytes;
      most[block->bytes] = std::max(most[block->bytes], ++in_use[block->bytes]);
    } else {
      std::swap(live[rng.below(uint32_t(live.size()))], live.back());
      bytes -= live.back()->bytes;
      --in_use[live.back()->bytes];
      arena.release(live.back());
      live.pop_back();
    }
    peak = std::max(peak, bytes);
    REQUIRE(arena.live_bytes() == bytes);
    REQUIRE(arena.peak_bytes() == peak);
    REQUIRE(arena.reserved_bytes() >= bytes);
  }
  for (Storage* block : live) arena.release(block);
  CHECK(arena.live_bytes() == 0);
  // A block comes from the system only where no released one of its size would do.
  int64_t needed = 0;
  for (auto [size, count] : most) needed += count;
  CHECK(arena.system_allocations() <= needed + int64_t(most.size()));
}

TEST_CASE("arena: more than the machine has") {
  Arena arena;
  for (size_t bytes : {size_t(1) << 47, size_t(1) << 60, ~size_t(0)})
    CHECK_THROWS_AS(arena.allocate(bytes), std::bad_alloc);
  CHECK(arena.live_bytes() == 0);
  CHECK(arena.system_allocations() == 0);
}
