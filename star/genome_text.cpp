// The text of a genome: `to_text`, and the strict reader, `check` and `parse`.

#include "core/error.h"
#include "liv/legality.h"
#include "star/genome.h"
#include "star/genome_tokens.h"

namespace star {
namespace {

// Reads a text, collecting every error; what has errors is left out of the genome.
class Reader {
 public:
  explicit Reader(const Pool& pool) : pool_(pool) {}

  void read(std::string_view text) {
    GenomeTokens tokens = tokenize(text, result.errors);
    result.readable = result.errors.empty();
    if (!result.readable) return;
    for (size_t i = 0; i < tokens.overrides.size(); ++i) {
      auto read =
          tokens.overrides[i].featurizer ? &Reader::read_featurizer : &Reader::read_operator;
      (this->*read)(tokens.overrides[i], i);
    }
    bool overridden = genome.has_overrides() && result.errors.empty();
    const Pool pool = overridden ? effective_pool(genome, pool_) : pool_;
    for (size_t s = 0; s < tokens.segments.size(); ++s) read_segment(tokens.segments[s], s, pool);
    if (!result.errors.empty()) return;
    if (overridden) check_operators(pool);
    check_sharing(kWeightSharing);
    check_sharing(kFeatureSharing);
  }

  Genome genome;
  GenomeCheck result;

 private:
  template <class... Args>
  void error(fmt::format_string<Args...> format, Args&&... args) {
    result.errors.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  bool check_length(std::string_view token, const std::string& place, size_t most) {
    bool fits = token.size() >= 5 && token.size() <= most;
    if (token.size() < 5) error("{}, digit {}: missing, 5 are needed", place, token.size() + 1);
    if (token.size() > most) error("{}, digit {}: one too many", place, most + 1);
    result.readable &= fits;
    return fits;
  }

  // Digit i of the token, from 1.
  int digit(std::string_view token, const std::string& place, int i, const char* what, int limit) {
    int value = base36_value(token[size_t(i - 1)]);
    if (value < 1 || value > limit) {
      error("{}, digit {}: {} {}, must be {}", place, i, what, token[size_t(i - 1)],
            limit == 1 ? "1" : fmt::format("1 to {}", base36_digit(limit)));
    }
    return value;
  }

  Digits read_digits(std::string_view token, const std::string& place, const Digits& limits) {
    Digits digits{};
    if (!check_length(token, place, 5)) return digits;
    for (int i = 0; i < 5; ++i)
      digits[size_t(i)] = digit(token, place, i + 1, "value", limits[size_t(i)]);
    return digits;
  }

  void read_segment(std::string_view token, size_t index, const Pool& pool) {
    const std::string place = fmt::format("segment {}", index + 1);
    if (!check_length(token, place, 6)) return;
    Segment s{};
    s.liv = token[0];
    const LivClass* c = pool.find(s.liv);
    if (!c) error("{}, digit 1: class {} is not in the pool", place, s.liv);
    for (const SharingKind& kind : {kWeightSharing, kFeatureSharing}) {
      int limit = c ? strategies((c->*kind.shareable).size()) : 35;
      s.*kind.group = digit(token, place, kind.place, "group", kGroups);
      s.*kind.strategy = digit(token, place, kind.place + 1, "strategy", limit);
    }
    if (token.size() == 6) s.parallel = digit(token, place, 6, "composition", 2) == 2;
    if (s.parallel && index == 0) error("{}, digit 6: no LIV before it to be parallel with", place);
    genome.segments.push_back(s);
  }

  void read_operator(const OverrideTokens& tokens, size_t index) {
    const std::string place = override_place(tokens, index, 0);
    const size_t before = result.errors.size();
    const LivClass* c = pool_.find(tokens.id);
    if (!c) error("{}: class {} is not in the pool", place, tokens.id);
    if (c && c->differential)
      error("{}: class {} is differential and follows class {}", place, tokens.id, c->base);
    for (const ClassOverride& o : genome.operators) {
      if (o.liv == tokens.id) error("{}: class {} has an override already", place, tokens.id);
    }
    Digits digits = read_digits(tokens.groups[0], place, kOperatorLimits);
    if (digits[0] > 0 && !pool_.find_featurizer(base36_digit(digits[0])))
      error("{}, digit 1: featurizer {} is not in the pool", place, base36_digit(digits[0]));
    if (result.errors.size() == before) genome.operators.push_back({tokens.id, {digits}});
  }

  void read_featurizer(const OverrideTokens& tokens, size_t index) {
    const std::string place = fmt::format("override {}", index + 1);
    const size_t before = result.errors.size();
    const Featurizer* f = pool_.find_featurizer(tokens.id);
    if (!f) error("{}: featurizer {} is not in the pool", place, tokens.id);
    for (const FeaturizerOverride& o : genome.featurizers) {
      if (o.id == tokens.id) error("{}: featurizer {} has an override already", place, tokens.id);
    }
    if (f && tokens.groups.size() != f->groups.size()) {
      error("{}: {} groups, featurizer {} has {}", place, tokens.groups.size(), tokens.id,
            f->groups.size());
      result.readable = false;
    }
    FeaturizerOverride read{tokens.id, {}};
    for (size_t g = 0; g < tokens.groups.size(); ++g) {
      read.groups.push_back(
          read_digits(tokens.groups[g], override_place(tokens, index, g), kGroupLimits));
    }
    if (result.errors.size() == before) genome.featurizers.push_back(std::move(read));
  }

  void check_operators(const Pool& pool) {
    for (char id : operators_in_force(genome, pool)) {
      const LivClass& c = *pool.find(id);
      for (const std::string& reason : check_operator(c.op, c.groups))
        error("class {} as overridden: {}", id, reason);
    }
  }

  void check_sharing(const SharingKind& kind) {
    for (const std::vector<int>& members : sharing_groups(genome.segments, kind)) {
      const int donor = members[0];
      const int strategy = genome.segments[size_t(donor)].*kind.strategy;
      if (members.size() == 1) {
        error("segment {}, digit {}: strategy {} shares with no other LIV, must be 1", donor + 1,
              kind.place + 1, base36_digit(strategy));
      }
      for (int member : members) {
        int own = genome.segments[size_t(member)].*kind.strategy;
        if (own != strategy) {
          error("segment {}, digit {}: strategy {}, must be {} as in segment {}, its donor",
                member + 1, kind.place + 1, base36_digit(own), base36_digit(strategy), donor + 1);
        }
      }
    }
  }

  const Pool& pool_;
};

}  // namespace

std::string to_text(const Genome& genome) {
  std::string text;
  for (const Segment& s : genome.segments) {
    if (!text.empty()) text += '-';
    text += s.liv;
    for (int digit : {s.weight_group, s.weight_strategy, s.feature_group, s.feature_strategy})
      text += base36_digit(digit);
    if (s.parallel) text += '2';
  }
  for (const ClassOverride& o : genome.operators)
    text += fmt::format("|{}:{}", o.liv, digits_text(o.op.digits));
  for (const FeaturizerOverride& o : genome.featurizers) {
    text += fmt::format("|%{}:", o.id);
    for (size_t g = 0; g < o.groups.size(); ++g) text += (g ? "," : "") + digits_text(o.groups[g]);
  }
  return text;
}

GenomeCheck check(std::string_view text, const Pool& pool) {
  Reader reader(pool);
  reader.read(text);
  return reader.result;
}

Genome parse(std::string_view text, const Pool& pool) {
  Reader reader(pool);
  reader.read(text);
  if (!reader.result.valid())
    fail("genome: {} (see `star genome repair`)", reader.result.errors[0]);
  return reader.genome;
}

}  // namespace star
