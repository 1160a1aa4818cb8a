// The genome: a backbone of segments, one a LIV, and overrides of operators and featurizers
// (star/README.md). Here: the structure, its text, validity, the canonical form and the named
// genomes; star/repair.h makes valid genomes of anything, star/sharing.h says who owns what.
//
//     genome   := backbone [ "|" override ]...        21111-91111|2:22223|%2:21111,23121,23121
//     override := class ":" operator | "%" id ":" group ( "," group )...
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "liv/pool.h"

namespace star::synthesis {

struct Segment {
  char liv;  // the id of a class
  int weight_group, weight_strategy;
  int feature_group, feature_strategy;
  bool parallel;  // reads what the LIV before it reads
  bool operator==(const Segment&) const = default;
};

struct ClassOverride {
  char liv;  // not a differential class: those follow their base
  OperatorGenome op;
  bool operator==(const ClassOverride&) const = default;
};

struct FeaturizerOverride {
  char id;
  std::vector<Digits> groups;  // in the order of the pool's featurizer, whose roles they keep
  bool operator==(const FeaturizerOverride&) const = default;
};

struct Genome {
  std::vector<Segment> segments;
  std::vector<ClassOverride> operators;
  std::vector<FeaturizerOverride> featurizers;
  bool has_overrides() const { return !operators.empty() || !featurizers.empty(); }
  bool operator==(const Genome&) const = default;
};

// Group digits run over 1 … 9.
inline constexpr int kGroups = 9;

// The two kinds of sharing: the digits that hold them, `place` being that of the group in a
// segment.
struct SharingKind {
  int Segment::*group;
  int Segment::*strategy;
  std::vector<Role> LivClass::*shareable;
  int place;
};
inline constexpr SharingKind kWeightSharing = {&Segment::weight_group, &Segment::weight_strategy,
                                               &LivClass::shareable_weights, 2};
inline constexpr SharingKind kFeatureSharing = {&Segment::feature_group, &Segment::feature_strategy,
                                                &LivClass::shareable_features, 4};

// The LIVs of one class with one group digit and a strategy other than 1, in order; the first is
// the donor. Groups are ordered by their donors.
std::vector<std::vector<int>> sharing_groups(const std::vector<Segment>& segments,
                                             const SharingKind& kind);

// The number of strategies over n things that can be shared: 2^n, as far as one digit reaches.
int strategies(size_t n);

// Bit i is set when strategy s shares the i-th of n things: none for 1, all for 2, s − 2 otherwise.
unsigned strategy_mask(int strategy, size_t n);

std::string to_text(const Genome& genome);

// What is wrong with a text, a line an error, each naming its segment or override and its digit
// (from 1). `readable` is false when it is not the text of a genome at all (bad character, wrong
// length, empty); a readable text with errors is an invalid genome.
struct GenomeCheck {
  bool readable = true;
  std::vector<std::string> errors;
  bool valid() const { return errors.empty(); }
};
GenomeCheck check(std::string_view text, const Pool& pool);

// The valid genome that `text` writes. Throws Error with the first line of `check`.
Genome parse(std::string_view text, const Pool& pool);

// The pool with the overrides in force. Classes that the backbone does not use may be illegal in
// it.
Pool effective_pool(const Genome& genome, const Pool& pool);
// The same without a copy where there are no overrides: `pool` itself, or `changed`, made so.
const Pool& effective_pool(const Genome& genome, const Pool& pool, Pool& changed);

// The canonical form of a valid genome: groups numbered by first appearance, overrides in the order
// of their ids and without those that change nothing. Equal canonical text, equal architecture.
Genome canonical(const Genome& genome, const Pool& pool);

// The classes whose operators must be legal, bases of differential ones instead of these: those in
// the backbone, in order of appearance, then those overridden.
std::vector<char> operators_in_force(const Genome& genome, const Pool& pool);

// "@transformer", "@hybrid", "@mamba", "@conv", "@lfm2", "@linear", or "@name:DEPTH" with DEPTH
// from 1 to 1000 LIVs (default 8). Throws Error otherwise. The classes are of the extended pool,
// against which a named genome compiles whatever the pool in force (@linear uses class i).
Genome named_genome(std::string_view name);
std::vector<std::string> genome_names();

// The named genomes of so many LIVs that `pool` can write, in the order of their names; of equal
// ones (short genomes may be) the first.
struct NamedDesign {
  std::string name;
  Genome genome;
};
std::vector<NamedDesign> named_designs(const Pool& pool, int depth);

// A genome given by the user: a valid text in `pool`, or a name, none of whose classes `pool`
// defines in another way. Throws Error.
Genome resolve(std::string_view text_or_name, const Pool& pool);

// A name that says no depth of its own with one; other text as it is.
std::string at_depth(const std::string& text_or_name, int depth);

// Error, which begins with `text`: `pool` defines a class of this genome of the pool `meant`
// otherwise. Classes that it lacks are no matter.
void require_same_classes(const Genome& genome, const Pool& pool, const Pool& meant,
                          std::string_view text);

}  // namespace star::synthesis
