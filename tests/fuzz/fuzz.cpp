// Feeds the targets with mutations of their seeds, the same ones in every run; any exception but
// Error, any broken promise and any report of a sanitizer ends it with the input.
//
//     fuzz [COUNT [TARGET [SEED]]]      inputs for each target (default 20000), fewer for those
//     that
//                                       are dear; one target only
//
// Under clang, `-fsanitize=fuzzer -DSTAR_LIBFUZZER` makes it a fuzzer that is guided by coverage;
// the first byte of its inputs chooses the target.
#include "tests/fuzz/fuzz.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>

#include "core/error.h"
#include "core/rng.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto& targets = star::synthesis::fuzz_targets();
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (!input.empty()) targets[data[0] % targets.size()].run(input.substr(1));
  return 0;
}

#if !defined(STAR_LIBFUZZER)

namespace star::synthesis {
namespace {

constexpr size_t kLongest = 1 << 14;

// What runs, for the report of a sanitizer.
std::string g_input;
const char* g_target = "";

void print_input() {
  std::string text;
  for (char c : g_input) {
    const auto byte = static_cast<unsigned char>(c);
    text += c >= ' ' && c <= '~' && c != '\\' ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  fmt::print(stderr, "fuzz: {} fails on \"{}\"\n", g_target, text);
}

size_t place(Rng& rng, const std::string& text) { return rng.below(uint32_t(text.size() + 1)); }

// Replaces a number in the text by one at the edge of some range, or by a neighbour.
void edit_number(Rng& rng, std::string& text) {
  static const char* const edges[] = {"0",          "-1",         "1e999", "18446744073709551616",
                                      "2147483648", "4294967297", "-0.5",  "9223372036854775807"};
  const size_t begin = text.find_first_of("0123456789", place(rng, text));
  if (begin == text.npos) return;
  size_t end = text.find_first_not_of("0123456789", begin);
  end = end == text.npos ? text.size() : end;
  uint64_t number = 0;
  std::from_chars(text.data() + begin, text.data() + end, number);
  const bool near = rng.chance(0.5);
  text.replace(begin, end - begin,
               near ? fmt::to_string(number + rng.below(3) - 1) : edges[rng.below(8)]);
}

void mutate(Rng& rng, std::string& text, const std::vector<std::string>& corpus) {
  const size_t a = place(rng, text), b = place(rng, text), from = std::min(a, b);
  const size_t length = std::min<size_t>(std::max(a, b) - from, rng.chance(0.9) ? 8 : kLongest);
  const std::string& other = corpus[rng.below(uint32_t(corpus.size()))];
  const size_t cut = place(rng, other);
  switch (rng.below(9)) {
    case 0:
      if (from < text.size()) text[from] = char(text[from] ^ (1 << rng.below(8)));
      break;
    case 1:
      if (from < text.size()) text[from] = char(rng.below(256));
      break;
    case 2:
      text.erase(from, length);
      break;
    case 3:  // once more, or very often: nesting
      for (uint32_t n = rng.chance(0.05) ? 2000 : 1; n > 0 && text.size() < kLongest; --n)
        text.insert(from, text.substr(from, std::min<size_t>(length, 8)));
      break;
    case 4:
      text = text.substr(0, from) + other.substr(cut);
      break;
    case 5:
      text.insert(from, other.substr(cut, length));
      break;
    case 6:
      if (rng.chance(0.2)) text.resize(from);
      break;
    case 7:
      if (from < text.size()) text[from] = "0123456789abz-|:,%@.\"[]{}# \n"[rng.below(28)];
      break;
    default:
      edit_number(rng, text);
  }
  text.resize(std::min(text.size(), kLongest));
}

// What was accepted joins the corpus, so that mutations pile up.
bool fuzz(const FuzzTarget& target, uint64_t seed, int count) {
  std::vector<std::string> corpus = target.seeds();
  const size_t seeds = corpus.size();
  int accepted = 0;
  g_target = target.name;
  for (int i = 0; i < count; ++i) {
    Rng rng(seed, std::string("fuzz.") + target.name, uint64_t(i));
    g_input = size_t(i) < seeds ? corpus[size_t(i)] : corpus[rng.below(uint32_t(corpus.size()))];
    for (uint32_t n = size_t(i) < seeds ? 0 : 1 + rng.below(6); n > 0; --n)
      mutate(rng, g_input, corpus);
    try {
      if (!target.run(g_input)) continue;
    } catch (const std::exception& e) {
      fmt::print(stderr, "fuzz: {}: input {}: {}\n", target.name, i, e.what());
      print_input();
      return false;
    }
    ++accepted;
    if (size_t(i) < seeds) continue;
    if (corpus.size() < seeds + 64) corpus.push_back(g_input);
    corpus[seeds + rng.below(uint32_t(corpus.size() - seeds))] = g_input;
  }
  fmt::print("{:12} {} inputs, {} accepted\n", target.name, count, accepted);
  if (accepted > 0) return true;
  fmt::print(stderr, "fuzz: {}: not even a seed was accepted\n", target.name);
  return false;
}

}  // namespace
}  // namespace star::synthesis

int main(int argc, char** argv) {
  using namespace star;
  using namespace star::synthesis;
  const int count = argc > 1 ? std::atoi(argv[1]) : 20000;
  const std::string only = argc > 2 ? argv[2] : "";
  const uint64_t seed = argc > 3 ? uint64_t(std::atoll(argv[3])) : 0;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback(print_input);
#endif
  bool fine = true;
  for (const FuzzTarget& target : fuzz_targets())
    if (only.empty() || only == target.name)
      fine &= fuzz(target, seed, (count + target.cost - 1) / target.cost);
  return fine ? 0 : 1;
}

#endif
