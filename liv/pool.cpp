#include "liv/pool.h"

#include <algorithm>

#include "core/error.h"

namespace star::liv {
namespace {

Digits digits_of(std::string_view text) {
  Digits digits{};
  for (size_t i = 0; i < digits.size(); ++i) digits[i] = base36_value(text[i]);
  return digits;
}

std::vector<Featurizer> default_featurizers() {
  using enum Role;
  struct Row {
    char id;
    std::vector<std::pair<Role, const char*>> groups;
  };
  static const std::vector<Row> rows = {
      {'1', {{query, "21111"}, {key, "21111"}, {value, "21111"}}},
      {'2', {{query, "23111"}, {key, "23111"}, {value, "23111"}}},
      {'3', {{query, "21111"}, {key, "21131"}, {value, "21131"}}},
      {'4', {{query, "21111"}, {key, "21121"}, {value, "21121"}}},
      {'5', {{value, "23114"}, {z, "21114"}, {dt, "41115"}, {B, "21511"}, {C, "21511"}}},
      {'6', {{a, "21216"}, {value, "21211"}, {z, "21214"}}},
      {'7', {{B, "21111"}, {C, "21111"}, {value, "21111"}, {kernel, "13111"}}},
      {'8', {{B, "23111"}, {C, "23111"}, {value, "23111"}, {filter, "14111"}}},
      {'9', {{gate, "21411"}, {value, "21411"}}},
      {'a', {{query, "21117"}, {key, "21117"}, {value, "21111"}}},
      {'b', {{query, "21111"}, {key, "21111"}, {value, "21111"}, {z, "21114"}, {dt, "31115"}}},
      {'c',
       {{query, "21111"},
        {key, "21118"},
        {value, "21111"},
        {z, "21114"},
        {dt, "31115"},
        {beta, "31119"}}},
      {'d', {{query, "21111"}, {key, "21111"}, {value, "21111"}, {z, "21114"}, {a, "4111b"}}},
      {'e',
       {{query, "21111"},
        {key, "21118"},
        {value, "21111"},
        {z, "21114"},
        {a, "4111b"},
        {beta, "31119"}}},
  };
  std::vector<Featurizer> featurizers;
  for (const Row& row : rows) {
    featurizers.push_back({row.id, {}});
    for (auto [role, digits] : row.groups) {
      featurizers.back().groups.push_back({role, digits_of(digits)});
    }
  }
  return featurizers;
}

Pool make_pool(std::string_view ids) {
  struct Row {
    char id, differential;  // the id of the differential variant, 0 if there is none
    const char *name, *op;
  };
  static constexpr Row rows[] = {
      {'1', 'a', "SA-1", "12123"},    {'2', 'b', "SA-2", "22123"},    {'3', 'c', "SA-3", "32123"},
      {'4', 'd', "SA-4", "42123"},    {'5', 'e', "Rec-1", "54111"},   {'6', 'f', "Rec-2", "64111"},
      {'7', 'g', "GConv-1", "73111"}, {'8', 'h', "GConv-2", "83111"}, {'9', 0, "GMemless", "91142"},
      {'i', 'm', "LA-1", "a2153"},    {'j', 'n', "SWA-1", "12223"},   {'k', 'o', "Rec-3", "b4113"},
      {'l', 'p', "Rec-4", "c4113"},   {'q', 's', "Rec-5", "d4113"},   {'r', 't', "Rec-6", "e4113"},
  };
  Pool pool;
  pool.featurizers = default_featurizers();
  for (char id : ids) {
    for (const Row& row : rows) {
      OperatorGenome op{digits_of(row.op)};
      if (row.id == id) pool.classes.push_back({id, row.name, false, id, op, {}, {}, {}});
      if (row.differential == id) {
        pool.classes.push_back({id, std::string("D-") + row.name, true, row.id, op, {}, {}, {}});
      }
    }
  }
  derive(pool);
  return pool;
}

template <class Test>
const FeatureGroup* first_group(const std::vector<FeatureGroup>& groups, Test test) {
  auto it = std::find_if(groups.begin(), groups.end(), test);
  return it == groups.end() ? nullptr : &*it;
}

}  // namespace

int base36_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'z') return digit - 'a' + 10;
  return -1;
}

char base36_digit(int value) {
  require(value >= 0 && value < 36, "base 36: no digit for the value {}", value);
  return "0123456789abcdefghijklmnopqrstuvwxyz"[value];
}

std::string digits_text(const Digits& digits) {
  std::string text;
  for (int digit : digits) text += base36_digit(digit);
  return text;
}

const LivClass* Pool::find(char id) const {
  for (const LivClass& c : classes) {
    if (c.id == id) return &c;
  }
  return nullptr;
}

const Featurizer* Pool::find_featurizer(char id) const {
  for (const Featurizer& f : featurizers) {
    if (f.id == id) return &f;
  }
  return nullptr;
}

Pool paper_pool() { return make_pool("123456789abcdefgh"); }

Pool extended_pool() { return make_pool("123456789abcdefghijklmnopqrst"); }

void derive(Pool& pool) {
  for (LivClass& c : pool.classes) {
    if (const LivClass* base = pool.find(c.base); c.differential && base) c.op = base->op;
    const Featurizer* featurizer = pool.find_featurizer(base36_digit(c.op.featurizer()));
    require(featurizer, "pool: class {} names the unknown featurizer {}", c.id,
            base36_digit(c.op.featurizer()));
    c.groups = featurizer->groups;
    c.shareable_weights = shareable_weights(c.groups);
    c.shareable_features = shareable_features(c.op, c.groups);
  }
}

const FeatureGroup* find_group(const std::vector<FeatureGroup>& groups, Role role) {
  return first_group(groups, [&](const FeatureGroup& g) { return g.role == role; });
}

const FeatureGroup* reader(const std::vector<FeatureGroup>& groups) {
  return first_group(groups, [](const FeatureGroup& g) { return reads(g.role); });
}

const FeatureGroup* writer(const std::vector<FeatureGroup>& groups) {
  return first_group(groups, [](const FeatureGroup& g) { return writes(g.role); });
}

Role shared_with(const std::vector<FeatureGroup>& groups, Role role) {
  if (role != Role::beta) return role;
  return find_group(groups, Role::a) ? Role::a : Role::dt;
}

std::vector<Role> shareable_weights(const std::vector<FeatureGroup>& groups) {
  std::vector<Role> roles;
  for (const FeatureGroup& g : groups) {
    if (shared_with(groups, g.role) == g.role) roles.push_back(g.role);
  }
  return roles;
}

std::vector<Role> shareable_features(const OperatorGenome& op,
                                     const std::vector<FeatureGroup>& groups) {
  // Grouped channels: what is written, keys and values. Diagonal channels: the vectors around the
  // values, since each channel has a value of its own. Then the transition, or the diagonal.
  std::vector<const FeatureGroup*> features;
  if (const FeatureGroup* write = writer(groups)) {
    features = {write, op.channels() == Channels::grouped ? find_group(groups, Role::value)
                                                          : reader(groups)};
  }
  for (Role role : {Role::dt, Role::a, Role::gate}) features.push_back(find_group(groups, role));
  std::vector<Role> roles;
  for (const FeatureGroup* g : features) {
    if (g) roles.push_back(g->role);
  }
  return roles;
}

bool rotary(const OperatorGenome& op) {
  return op.mixing() == Mixing::low_rank && !kernel_normalised(op.entries());
}

bool scaled(const OperatorGenome& op) {
  return rotary(op) ||
         (op.mixing() == Mixing::semi_separable && op.channels() == Channels::grouped);
}

bool counts_states(const OperatorGenome& op) {
  return op.mixing() == Mixing::semi_separable && op.channels() == Channels::diagonal;
}

int FeatureGroup::taps() const { return taps_of(along()); }

int taps_of(Along along) {
  switch (along) {
    case Along::nothing:
    case Along::implicit_filter:
      return 0;
    case Along::convolution_of_3:
      return 3;
    case Along::convolution_of_4:
      return 4;
    case Along::convolution_of_7:
      return 7;
    case Along::convolution_of_15:
      return 15;
  }
  return 0;  // a digit that means nothing
}

bool has_bias(Activation activation) {
  return activation == Activation::softplus_with_bias ||
         activation == Activation::sigmoid_with_bias ||
         activation == Activation::sigmoid_root_with_bias;
}

int expand(Expansion expansion, int width) {
  switch (expansion) {
    case Expansion::one:
      return width;
    case Expansion::two:
      return 2 * width;
    case Expansion::four:
      return 4 * width;
    case Expansion::eight_thirds:
      return 8 * ((width + 2) / 3);  // 8·⌈(8·width/3)/8⌉
    case Expansion::sixteen:
      return 16 * width;
    case Expansion::half:
      return (width + 1) / 2;
  }
  fail("featurizer: expansion {} is not one of 1 to 6", int(expansion));
}

int repeats(int repeat) {
  require(repeat >= 1 && repeat <= 3, "featurizer: repeat {} is not one of 1 to 3", repeat);
  return 1 << (repeat - 1);
}

}  // namespace star::liv
