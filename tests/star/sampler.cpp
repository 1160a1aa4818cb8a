#include "star/sampler.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "star/stop_words.h"

namespace star::synthesis {
namespace {

using Distribution = std::map<int32_t, double>;

void make_sum_one(Distribution& p) {
  double sum = 0;
  for (auto& [token, share] : p) sum += share;
  for (auto& [token, share] : p) share /= sum;
}

// The four steps of sampler.h, each written down by itself.
Distribution by_definition(std::vector<double> z, const std::vector<int32_t>& text,
                           const SamplingOptions& o) {
  const size_t from = text.size() - std::min(text.size(), size_t(o.repeat_last));
  for (int32_t token = 0; token < int32_t(z.size()); ++token)
    if (std::count(text.begin() + int64_t(from), text.end(), token) > 0)
      z[size_t(token)] *= z[size_t(token)] > 0 ? 1 / o.repeat_penalty : o.repeat_penalty;
  std::vector<int32_t> order;
  for (int32_t token = 0; token < int32_t(z.size()); ++token) order.push_back(token);
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return z[size_t(a)] > z[size_t(b)]; });
  Distribution p;
  for (int32_t token : order) p[token] = std::exp(z[size_t(token)] / o.temperature);
  make_sum_one(p);
  auto keep = [&](auto&& stays) {
    Distribution kept;
    for (size_t rank = 0; rank < order.size(); ++rank)
      if (p.count(order[rank]) && stays(rank)) kept[order[rank]] = p.at(order[rank]);
    p = kept;
    make_sum_one(p);
  };
  if (o.top_k > 0) keep([&](size_t rank) { return rank < size_t(o.top_k); });
  double before = 0;
  keep([&](size_t rank) {
    const bool stays = before < o.top_p;
    before += p.at(order[rank]);
    return stays;
  });
  const double most = p.at(order[0]);
  keep([&](size_t rank) { return p.at(order[rank]) >= o.min_p * most; });
  return p;
}

}  // namespace

TEST_CASE("sampler: tokens are drawn as often as the definition says, and no others") {
  for (uint64_t index = 0; index < 60; ++index) {
    CAPTURE(index);
    Rng rng(1, "sampler case", index);
    std::vector<double> logits;
    for (uint32_t n = 2 + rng.below(7); logits.size() < n;) logits.push_back(2 * rng.normal());
    if (index % 5 == 0) logits[1] = logits[0];
    std::vector<int32_t> text;
    for (uint32_t n = rng.below(6); text.size() < n;)
      text.push_back(int32_t(rng.below(uint32_t(logits.size()))));
    SamplingOptions options;
    options.temperature = rng.uniform(0.3, 3);
    options.top_k = int(rng.below(5));
    if (rng.chance(0.6)) options.top_p = rng.uniform(0.2, 1);
    if (rng.chance(0.6)) options.min_p = rng.uniform(0, 0.6);
    if (rng.chance(0.6)) options.repeat_penalty = rng.uniform(0.5, 3);
    options.repeat_last = rng.below(5);
    const Distribution p = by_definition(logits, text, options);
    constexpr int kDraws = 2000;
    std::map<int32_t, int> drawn;
    Rng draws(2, "sampler draws", index);
    for (int i = 0; i < kDraws; ++i) ++drawn[draw_token(logits, text, options, draws)];
    for (auto& [token, count] : drawn) CHECK(p.count(token));
    for (auto& [token, share] : p)
      CHECK(std::abs(drawn[token] - kDraws * share) <
            5 * std::sqrt(kDraws * share * (1 - share)) + 1);
  }
}

TEST_CASE("sampler: without temperature it is the likeliest after the penalty") {
  Rng rng(1, "sampler");
  SamplingOptions options;
  options.temperature = 0;
  const std::vector<int32_t> text = {1};
  CHECK(draw_token({1, 2, 1.5}, text, options, rng) == 1);
  options.repeat_penalty = 2;
  CHECK(draw_token({1, 2, 1.5}, text, options, rng) == 2);
  CHECK(draw_token({-1.5, -1, -1.7}, text, options, rng) == 0);
  options.repeat_last = 0;
  CHECK(draw_token({1, 2, 1.5}, text, options, rng) == 1);
}

TEST_CASE("stop words: however the text is cut, it ends before the first word that comes") {
  for (uint64_t index = 0; index < 400; ++index) {
    Rng rng(3, "stop words", index);
    auto random_text = [&](uint32_t least, uint32_t most) {
      std::string text;
      for (uint32_t n = least + rng.below(most - least + 1); text.size() < n;)
        text += "ab"[rng.below(2)];
      return text;
    };
    const std::string text = random_text(0, 24);
    std::vector<std::string> words;
    for (uint32_t n = rng.below(3); words.size() < n;) words.push_back(random_text(2, 6));
    CAPTURE(text);
    StopWords stop(words);
    std::string shown;
    size_t come = 0;
    while (come < text.size() && !stop.ended()) {
      const size_t piece = 1 + rng.below(3);
      shown += stop.add(std::string_view(text).substr(come, piece));
      come = std::min(text.size(), come + piece);
      // What is held back is no longer than the beginning of a word.
      if (!stop.ended()) CHECK(come - shown.size() < 6);
    }
    const bool ended = stop.ended();
    shown += stop.rest();
    const std::string seen = text.substr(0, come);
    size_t first = std::string::npos;
    for (auto& word : words) first = std::min(first, seen.find(word));
    CHECK(ended == (first != std::string::npos));
    CHECK(shown == seen.substr(0, first));
  }
}

}  // namespace star::synthesis
