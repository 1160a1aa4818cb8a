#include "star/task_generators.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include "core/error.h"

namespace star {
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

class Recall : public TaskGenerator {
 public:
  using TaskGenerator::TaskGenerator;

  void fill(bool training, Rng& rng, std::span<int32_t> tokens,
            std::span<int32_t> targets) const override {
    const int keys = (o.vocab - o.noise_tokens) / 2, slots = o.length / 2;
    const double share = o.task == Task::noisy_recall ? o.share : 0;
    std::vector<int32_t> value_of(size_t(keys), -1), presented;
    // The protected slot: the last pair has something to repeat, whatever the share of noise.
    const int kept = int(rng.below(uint32_t(slots - 1)));
    for (int slot = 0; slot < slots; ++slot) {
      size_t place = size_t(2 * slot);
      bool last = slot == slots - 1;
      if (!last && slot != kept && rng.chance(share)) {
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

}  // namespace

std::unique_ptr<TaskGenerator> make_generator(const TaskOptions& options, uint64_t seed) {
  switch (options.task) {
    case Task::recall:
    case Task::noisy_recall:
      return std::make_unique<Recall>(options);
    case Task::fuzzy_recall:
      return std::make_unique<FuzzyRecall>(options);
    case Task::copy:
      return std::make_unique<Copy>(options);
    case Task::memorize:
      return std::make_unique<Memorize>(options, seed);
    case Task::mqar:
      return std::make_unique<Mqar>(options);
    case Task::mix:
      break;  // its parts have generators, it has none
  }
  fail("task: {} has no generator of its own", int(options.task));
}

}  // namespace star
