#include "star/task_generators.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include "core/error.h"

namespace star::synthesis {
namespace {

// Distinct numbers of lo … hi−1, uniformly, in random order (Floyd's sampling keeps the cost at
// that of what is drawn, not of the range).
std::vector<int32_t> draw_distinct(int lo, int hi, int count, Rng& rng) {
  std::vector<int32_t> drawn;
  for (int top = hi - count; top < hi; ++top) {
    int32_t candidate = lo + int32_t(rng.below(uint32_t(top - lo + 1)));
    bool taken = std::find(drawn.begin(), drawn.end(), candidate) != drawn.end();
    drawn.push_back(taken ? top : candidate);
  }
  rng.shuffle(drawn);
  return drawn;
}

template <class Generator>
std::unique_ptr<TaskGenerator> made(const TaskOptions& options, uint64_t) {
  return std::make_unique<Generator>(options);
}

// recall: K = V/2 keys, then K values; L/2 pairs. Of noisy-recall the last `noise` tokens are
// noise, which carries nothing, the rest as in recall.
void check_recall(const TaskOptions& o) {
  require(o.length % 2 == 0 && o.length >= 4, "{}: L={} must be even and at least 4", o.task,
          o.length);
  require(o.noise_tokens >= 0 && o.noise_tokens <= o.vocab - 2,
          "{}: noise={} of V={} tokens leave no key and value", o.task, o.noise_tokens, o.vocab);
  require(o.share >= 0 && o.share <= 1, "{}: share={} is not in [0, 1]", o.task, o.share);
  require(o.noise_tokens > 0 || o.share == 0,
          "{}: share={} of the pairs are noise, but noise=0 tokens", o.task, o.share);
}

class Recall : public TaskGenerator {
 public:
  using TaskGenerator::TaskGenerator;

  void fill(bool training, Rng& rng, std::span<int32_t> tokens,
            std::span<int32_t> targets) const override {
    const int keys = (o.vocab - o.noise_tokens) / 2, slots = o.length / 2;
    std::vector<int32_t> value_of(size_t(keys), -1), presented;
    // The protected slot: the last pair has something to repeat, whatever the share of noise.
    const int kept = int(rng.below(uint32_t(slots - 1)));
    for (int slot = 0; slot < slots; ++slot) {
      size_t place = size_t(2 * slot);
      bool last = slot == slots - 1;
      if (!last && slot != kept && rng.chance(o.share)) {
        for (size_t i : {place, place + 1})
          tokens[i] = o.vocab - 1 - int32_t(rng.below(uint32_t(o.noise_tokens)));
        continue;
      }
      int32_t key = last ? presented[rng.below(uint32_t(presented.size()))]
                         : int32_t(rng.below(uint32_t(keys)));
      int32_t& value = value_of[size_t(key)];
      if (value < 0) {
        value = keys + int32_t(rng.below(uint32_t(keys)));
        presented.push_back(key);
      } else if (!training) {
        targets[place] = value;
      }
      tokens[place] = key;
      tokens[place + 1] = value;
    }
    if (training) std::copy(tokens.begin() + 1, tokens.end(), targets.begin());
  }
};

// fuzzy-recall: K = (V−1)/2 key tokens, then value tokens, V−1 pads; motifs of up to m tokens.
void check_fuzzy_recall(const TaskOptions& o) {
  require(o.motif >= 1, "{}: m={} must be at least 1", o.task, o.motif);
  require(o.motif <= (o.vocab - 1) / 2, "{}: V={} has no motif of m={} distinct tokens", o.task,
          o.vocab, o.motif);
  require(o.length >= 4 * int64_t(o.motif), "{}: L={} has no room for two pairs of motifs of m={}",
          o.task, o.length, o.motif);
}

class FuzzyRecall : public TaskGenerator {
 public:
  using TaskGenerator::TaskGenerator;
  using Motif = std::vector<int32_t>;

  void fill(bool training, Rng& rng, std::span<int32_t> tokens,
            std::span<int32_t> targets) const override {
    const int keys = (o.vocab - 1) / 2, pad = o.vocab - 1;
    auto size = [&] { return 1 + int(rng.below(uint32_t(o.motif))); };
    auto key_motif = [&] { return draw_distinct(0, keys, training ? size() : o.motif, rng); };
    auto value_motif = [&] { return draw_distinct(keys, 2 * keys, size(), rng); };

    const Motif probe = key_motif();
    std::map<Motif, Motif> value_of{{probe, value_motif()}};
    const Motif& answer = value_of[probe];
    std::vector<std::pair<Motif, Motif>> pairs;
    for (size_t room = tokens.size() - 2 * (probe.size() + answer.size());;) {
      Motif key = key_motif();
      auto found = value_of.find(key);
      if (found == value_of.end()) found = value_of.emplace(key, value_motif()).first;
      size_t need = key.size() + found->second.size();
      if (need > room) break;
      room -= need;
      pairs.push_back(*found);
    }
    pairs.insert(pairs.begin() + rng.below(uint32_t(pairs.size() + 1)), {probe, answer});
    pairs.emplace_back(probe, answer);

    std::vector<int32_t> text;
    for (const auto& [key, value] : pairs) {
      text.insert(text.end(), key.begin(), key.end());
      text.insert(text.end(), value.begin(), value.end());
    }
    const size_t padding = tokens.size() - text.size();
    std::fill_n(tokens.begin(), padding, pad);
    std::copy(text.begin(), text.end(), tokens.begin() + std::ptrdiff_t(padding));
    size_t from = training ? padding : tokens.size() - 1 - answer.size();
    for (size_t i = from; i + 1 < tokens.size(); ++i) targets[i] = tokens[i + 1];
  }
};

// copy: content 0…V−3, V−2 blank, V−1 copy token.
void check_copy(const TaskOptions& o) {
  require(o.vocab >= 3, "{}: V={} must be at least 3", o.task, o.vocab);
  require(o.content >= 1 && o.length >= 2 * int64_t(o.content) + 1,
          "{}: L={} has no room for n={} tokens twice and the copy token", o.task, o.length,
          o.content);
}

class Copy : public TaskGenerator {
 public:
  using TaskGenerator::TaskGenerator;

  void fill(bool, Rng& rng, std::span<int32_t> tokens, std::span<int32_t> targets) const override {
    const int32_t blank = o.vocab - 2, copy_token = o.vocab - 1;
    const size_t n = size_t(o.content), answers = tokens.size() - n;
    // Each blank goes before a random content token, as in MAD: the last one precedes the copy
    // token.
    std::vector<int> blanks_before(n);
    for (size_t i = 0; i < tokens.size() - 2 * n - 1; ++i) ++blanks_before[rng.below(uint32_t(n))];
    std::fill(tokens.begin(), tokens.end(), blank);
    size_t place = 0;
    for (size_t i = 0; i < n; ++i) {
      place += size_t(blanks_before[i]);
      tokens[place] = int32_t(rng.below(uint32_t(o.vocab - 2)));
      targets[answers + i] = tokens[place++];
    }
    tokens[place] = copy_token;
  }
};

// compress: tokens 0…V−2, then V−1, the end; told again after it, by a decoder.
void check_compress(const TaskOptions& o) {
  require(o.length >= 2, "{}: L={} has no room for a token and the end", o.task, o.length);
}

class Compress : public TaskGenerator {
 public:
  using TaskGenerator::TaskGenerator;

  void fill(bool, Rng& rng, std::span<int32_t> tokens, std::span<int32_t> targets) const override {
    for (int32_t& token : tokens) token = int32_t(rng.below(uint32_t(o.vocab - 1)));
    std::copy(tokens.begin(), tokens.end() - 1, targets.begin());
    tokens.back() = o.vocab - 1;
  }
};

// memorize: K = (V−1)/2 keys, then values, V−1 the insert token; one map in all sequences.
void check_memorize(const TaskOptions& o) {
  require(o.vocab >= 3, "{}: V={} must be at least 3", o.task, o.vocab);
  require(o.length % 2 == 0, "{}: L={} must be even", o.task, o.length);
}

class Memorize : public TaskGenerator {
 public:
  Memorize(const TaskOptions& options, uint64_t seed)
      : TaskGenerator(options), value_of_(size_t((o.vocab - 1) / 2)) {
    std::iota(value_of_.begin(), value_of_.end(), int32_t(value_of_.size()));
    Rng rng(seed, "memorize/map");
    rng.shuffle(value_of_);
  }

  void fill(bool, Rng& rng, std::span<int32_t> tokens, std::span<int32_t> targets) const override {
    for (size_t i = 0; i < tokens.size(); i += 2) {
      uint32_t key = rng.below(uint32_t(value_of_.size()));
      tokens[i] = int32_t(key);
      tokens[i + 1] = o.vocab - 1;
      targets[i + 1] = value_of_[key];
    }
  }

 private:
  std::vector<int32_t> value_of_;
};

// mqar: token 0, keys 1…V/2−1, values V/2…V−1; `noise` fills the other places with random tokens.
void check_mqar(const TaskOptions& o) {
  require(o.pairs >= 1 && o.pairs <= o.vocab / 2 - 1, "{}: V={} has {} keys, D={} are wanted",
          o.task, o.vocab, std::max(o.vocab / 2 - 1, 0), o.pairs);
  require(o.length >= 4 * int64_t(o.pairs),
          "{}: L={} has no room for D={} pairs and their queries, which take {}", o.task, o.length,
          o.pairs, 4 * int64_t(o.pairs));
  require(std::isfinite(o.power), "{}: a={} is not finite", o.task, o.power);
}

class Mqar : public TaskGenerator {
 public:
  using TaskGenerator::TaskGenerator;

  void fill(bool, Rng& rng, std::span<int32_t> tokens, std::span<int32_t> targets) const override {
    const size_t pairs = size_t(o.pairs);
    auto keys = draw_distinct(1, o.vocab / 2, o.pairs, rng);
    auto values = draw_distinct(o.vocab / 2, o.vocab, o.pairs, rng);
    std::fill(tokens.begin(), tokens.end(), 0);
    std::vector<bool> taken(tokens.size());
    auto put = [&](size_t place, int32_t token) {
      tokens[place] = token;
      taken[place] = true;
    };
    auto gaps = draw_gaps(rng);
    for (size_t i = 0; i < pairs; ++i) {
      put(2 * i, keys[i]);
      put(2 * i + 1, values[i]);
      size_t query = 2 * pairs + 2 * gaps[i];
      put(query, keys[i]);
      targets[query] = values[i];
    }
    if (!o.filler) return;
    for (size_t i = 0; i < tokens.size(); ++i)
      if (!taken[i]) tokens[i] = int32_t(rng.below(uint32_t(o.vocab)));
  }

 private:
  // D distinct gaps, drawn one after the other with probability ∝ (g+1)^(a−1) among those left. The
  // order of exponential variables of these rates is such a draw (Efraimidis and Spirakis, 2006).
  std::vector<size_t> draw_gaps(Rng& rng) const {
    std::vector<std::pair<double, size_t>> arrival(size_t((o.length - 2 * o.pairs) / 2));
    for (size_t g = 0; g < arrival.size(); ++g) {
      // The logarithm of −log(u) / rate, which extreme powers cannot overflow.
      double u = 1.0 - rng.uniform();
      arrival[g] = {std::log(-std::log(u)) - (o.power - 1) * std::log(double(g + 1)), g};
    }
    std::partial_sort(arrival.begin(), arrival.begin() + o.pairs, arrival.end());
    std::vector<size_t> gaps;
    for (int i = 0; i < o.pairs; ++i) gaps.push_back(arrival[size_t(i)].second);
    return gaps;
  }
};

// parity: uniform bits; the target at every place is the parity of all bits up to it. A state whose
// transitions have eigenvalues in (0, 1) alone cannot keep it at any length (Grazzi et al.,
// "Unlocking state-tracking in linear RNNs through negative eigenvalues", 2024).
class Parity : public TaskGenerator {
 public:
  using TaskGenerator::TaskGenerator;

  void fill(bool, Rng& rng, std::span<int32_t> tokens, std::span<int32_t> targets) const override {
    int32_t parity = 0;
    for (size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = int32_t(rng.below(2));
      targets[i] = parity ^= tokens[i];
    }
  }
};

std::unique_ptr<TaskGenerator> make_memorize(const TaskOptions& options, uint64_t seed) {
  return std::make_unique<Memorize>(options, seed);
}

const TaskOption kVocab = {"V", &TaskOptions::vocab}, kLength = {"L", &TaskOptions::length},
                 kNoise = {"noise", &TaskOptions::noise_tokens},
                 kShare = {"share", &TaskOptions::share}, kMotif = {"m", &TaskOptions::motif},
                 kContent = {"n", &TaskOptions::content}, kPairs = {"D", &TaskOptions::pairs},
                 kPower = {"a", &TaskOptions::power}, kFiller = {"noise", &TaskOptions::filler};

}  // namespace

const std::vector<TaskRow>& TaskRow::rows() {
  static const std::vector<TaskRow> kRows = {
      {"recall", {kVocab, kLength}, nullptr, check_recall, made<Recall>},
      {"noisy-recall",
       {kVocab, kLength, kNoise, kShare},
       [](TaskOptions& o) { o.vocab = 32, o.noise_tokens = 16, o.share = 0.2; },
       check_recall,
       made<Recall>},
      {"fuzzy-recall", {kVocab, kLength, kMotif}, nullptr, check_fuzzy_recall, made<FuzzyRecall>},
      {"copy",
       {kVocab, kLength, kContent},
       [](TaskOptions& o) { o.length = 256; },
       check_copy,
       made<Copy>},
      {.name = "compress",
       .options = {kVocab, kLength},
       .set_usual = [](TaskOptions& o) { o.length = 32; },
       .check = check_compress,
       .make = made<Compress>,
       .needs_decoder = true},
      {"memorize",
       {kVocab, kLength},
       [](TaskOptions& o) { o.vocab = 256, o.length = 32; },
       check_memorize,
       make_memorize},
      {"mqar",
       {kVocab, kLength, kPairs, kPower, kFiller},
       [](TaskOptions& o) { o.vocab = 8192, o.length = 64; },
       check_mqar,
       made<Mqar>},
      {"parity",
       {kLength},
       [](TaskOptions& o) { o.vocab = 2, o.length = 64; },
       nullptr,
       made<Parity>},
      {.name = "mix",
       .options = {kVocab, kLength, kNoise, kShare, kContent, kPairs, kPower},
       .set_usual =
           [](TaskOptions& o) {
             o.vocab = o.length = 64;
             o.noise_tokens = 16, o.share = 0.2, o.content = 8;
           },
       .parts = {"recall", "noisy-recall", "copy", "mqar"}},
  };
  return kRows;
}

}  // namespace star::synthesis
