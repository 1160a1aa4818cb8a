#include "star/generator.h"

#include <doctest/doctest.h>

#include <set>

#include "cpu/cpu.h"
#include "tests/liv/models.h"

namespace star::synthesis {
namespace {

const Sizes kSizes{8, 2, 9, 6, 3};

std::vector<int32_t> generated(Exec& exec, const Backbone& model, std::vector<int32_t> prompt,
                               const GenerateOptions& options, int64_t number = 0) {
  std::vector<int32_t> out;
  generate(exec, model, prompt, options, number, number + 1, [&](int64_t, int32_t t) {
    out.push_back(t);
    return true;
  });
  return out;
}

// The tokens in order of their logits after `text`, the likeliest first.
std::vector<int32_t> ranking(Exec& exec, const Backbone& model, const std::vector<int32_t>& text) {
  std::vector<float> logits = all_logits(exec, model, text, DecodeMode::parallel);
  const float* last = &logits[logits.size() - size_t(model.sizes().vocab)];
  std::vector<int32_t> order;
  for (int32_t t = 0; t < model.sizes().vocab; ++t) order.push_back(t);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return last[a] > last[b]; });
  return order;
}

}  // namespace

TEST_CASE("generator: logits token by token are those of the parallel form") {
  for (const LivClass& c : extended_pool().classes) {
    INFO(c.name);
    Exec exec(cpu_backend());
    Backbone model =
        random_model(exec, fmt::format("{0}1111-{0}1112-{0}1112", c.id), kSizes, DType::f32, 1);
    std::vector<int32_t> tokens = {3, 1, 4, 1, 5, 8, 2, 6, 5, 3};
    std::vector<float> a = all_logits(exec, model, tokens, DecodeMode::parallel);
    std::vector<float> b = all_logits(exec, model, tokens, DecodeMode::recurrent);
    CHECK(a.size() == 10 * 9);
    CHECK(relative_error({b.begin(), b.end()}, {a.begin(), a.end()}) < 1e-4);
  }
}

TEST_CASE("generator: without temperature, or among one, each token is the likeliest") {
  for (const char* genome : {"11111-91111", "51112-51112-71111", "81111-l1111", "d1111-j1111"}) {
    INFO(std::string(genome));
    Exec exec(cpu_backend());
    Backbone model = random_model(exec, genome, kSizes, DType::f64, 2);
    for (const auto& prompt : {std::vector<int32_t>{4}, {1, 2, 3, 8, 8, 0, 1}}) {
      GenerateOptions greedy, single;
      greedy.tokens = single.tokens = 12;
      greedy.sampling.temperature = 0;
      single.sampling.top_k = 1;
      std::vector<int32_t> text = generated(exec, model, prompt, greedy);
      CHECK(text.size() == 12);
      CHECK(text == generated(exec, model, prompt, single));
      std::vector<int32_t> so_far = prompt;
      for (int32_t t : text) {
        CHECK(t == ranking(exec, model, so_far)[0]);
        so_far.push_back(t);
      }
    }
  }
}

TEST_CASE("generator: draws come from the k likeliest, as often as their probabilities say") {
  Exec exec(cpu_backend());
  Backbone model = random_model(exec, "11111", kSizes, DType::f64, 3);
  const std::vector<int32_t> prompt = {1, 2};
  std::vector<int32_t> order = ranking(exec, model, prompt);
  std::vector<float> logits = all_logits(exec, model, prompt, DecodeMode::parallel);
  GenerateOptions options;
  options.tokens = 1;
  options.sampling.temperature = 1.5;
  options.sampling.top_k = 4;
  std::map<int32_t, int> seen;
  constexpr int draws = 4000;
  for (options.seed = 0; options.seed < draws; ++options.seed)
    ++seen[generated(exec, model, prompt, options).at(0)];
  double total = 0;
  for (int i = 0; i < 4; ++i) total += std::exp(double(logits[size_t(9 + order[size_t(i)])]) / 1.5);
  CHECK(seen.size() <= 4);
  for (int i = 0; i < 4; ++i) {
    double p = std::exp(double(logits[size_t(9 + order[size_t(i)])]) / 1.5) / total;
    CHECK(std::abs(seen[order[size_t(i)]] - draws * p) < 5 * std::sqrt(draws * p * (1 - p)) + 1);
  }
}

TEST_CASE("generator: a seed gives one text, another another; the callback ends it") {
  Exec exec(cpu_backend());
  Backbone model = random_model(exec, "11111", kSizes, DType::f32, 4);
  GenerateOptions options;
  options.tokens = 40;
  options.sampling.temperature = 2;
  std::vector<int32_t> text = generated(exec, model, {1}, options);
  CHECK(text == generated(exec, model, {1}, options));
  options.seed = 1;
  CHECK(text != generated(exec, model, {1}, options));
  int calls = 0;
  generate(exec, model, std::vector<int32_t>{1}, options, 0, 1,
           [&](int64_t, int32_t) { return ++calls < 7; });
  CHECK(calls == 7);
  options.tokens = 0;
  CHECK(generated(exec, model, {1}, options).empty());
}

TEST_CASE("generator: texts that are made together are those made one by one, and end apart") {
  for (const char* genome : {"11111-91111", "51112-51112-71111", "81111-l1111", "d1111-j1111"}) {
    INFO(std::string(genome));
    Exec exec(cpu_backend());
    Backbone model = random_model(exec, genome, kSizes, DType::f64, 2);
    GenerateOptions options;
    options.tokens = 12;
    options.sampling.temperature = 1.5;
    // Text i ends after `last[i]` tokens, the others go on.
    const std::vector<int64_t> last = {12, 3, 1, 7, 3, 12};
    std::vector<std::vector<int32_t>> texts(last.size());
    generate(exec, model, std::vector<int32_t>{5, 2}, options, 4, 10, [&](int64_t i, int32_t t) {
      auto& text = texts[size_t(i - 4)];
      text.push_back(t);
      return int64_t(text.size()) < last[size_t(i - 4)];
    });
    std::set<std::vector<int32_t>> different;
    for (size_t i = 0; i < texts.size(); ++i) {
      std::vector<int32_t> alone = generated(exec, model, {5, 2}, options, 4 + int64_t(i));
      different.insert(alone);
      alone.resize(size_t(last[i]));
      CHECK(texts[i] == alone);
    }
    CHECK(different.size() > 3);
  }
}

TEST_CASE("generator: tokens outside the vocabulary and empty prompts are errors") {
  Exec exec(cpu_backend());
  Backbone model = random_model(exec, "11111", kSizes, DType::f32, 4);
  for (std::vector<int32_t> bad : {std::vector<int32_t>{}, {9}, {0, -1}, {1, 2, 100000}}) {
    const auto words = doctest::Contains(bad.empty() ? "none given" : "tokens: number");
    CHECK_THROWS_WITH_AS(generated(exec, model, bad, {}), words, Error);
    CHECK_THROWS_WITH_AS(all_logits(exec, model, bad, DecodeMode::recurrent), words, Error);
    CHECK_THROWS_WITH_AS(all_logits(exec, model, bad, DecodeMode::parallel), words, Error);
  }
}

}  // namespace star::synthesis
