#include "star/motifs.h"

#include <doctest/doctest.h>

#include <algorithm>

#include <cmath>

#include "star/statistics.h"

namespace star::synthesis {
namespace {

std::set<Motif> motifs(const char* genome) {
  const Pool pool = extended_pool();
  return motifs_of(parse(genome, pool), pool);
}

bool has(const std::set<Motif>& all, const char* kind, const char* text) {
  return all.count({kind, text}) > 0;
}

size_t count(const std::set<Motif>& all, const char* kind) {
  return size_t(std::count_if(all.begin(), all.end(), [&](auto& m) { return m.kind == kind; }));
}

std::set<Motif> made(std::initializer_list<const char*> classes) {
  std::set<Motif> all;
  for (auto* text : classes) all.insert({"class", text});
  return all;
}

const MotifFinding& found(const std::vector<MotifFinding>& findings, const char* text) {
  for (auto& f : findings)
    if (f.motif.text == text) return f;
  FAIL("no motif " << text);
  return findings[0];
}

}  // namespace

TEST_CASE("motifs: classes and neighbours of a backbone, in order") {
  const auto all = motifs("11111-91111-51111-91111");
  CHECK(all == std::set<Motif>{{"class", "SA-1"},
                               {"class", "GMemless"},
                               {"class", "Rec-1"},
                               {"pair", "SA-1 → GMemless"},
                               {"pair", "GMemless → Rec-1"},
                               {"pair", "Rec-1 → GMemless"},
                               {"triple", "SA-1 → GMemless → Rec-1"},
                               {"triple", "GMemless → Rec-1 → GMemless"}});
  CHECK(motifs("11111").size() == 1);
}

TEST_CASE("motifs: what stands in parallel has no order") {
  const auto one = motifs("91111-11111-711112-511112"), other = motifs("91111-71111-511112-111112");
  CHECK(has(one, "pair", "GConv-1 ∥ SA-1"));
  CHECK(has(one, "pair", "GConv-1 ∥ Rec-1"));
  CHECK(has(one, "triple", "GConv-1 ∥ Rec-1 ∥ SA-1"));
  CHECK(has(other, "triple", "GConv-1 ∥ Rec-1 ∥ SA-1"));
  CHECK(has(one, "triple", "GMemless → GConv-1 ∥ SA-1"));
  CHECK_FALSE(has(one, "pair", "SA-1 → GConv-1"));
}

TEST_CASE("motifs: sharing by class and by what is shared") {
  const auto all = motifs("22212-91111-22212-91111");
  CHECK(has(all, "sharing", "SA-2 weights q k v"));
  CHECK(has(all, "sharing", "SA-2 features k v"));
  CHECK(has(all, "sharing", "any weights"));
  CHECK(has(all, "sharing", "any features"));
  CHECK(count(all, "sharing") == 4);
  // 2 + m: m is 1, the first thing of each list.
  const auto part = motifs("11313-91111-11313");
  CHECK(has(part, "sharing", "SA-1 weights q"));
  CHECK(has(part, "sharing", "SA-1 features k"));
  CHECK(count(motifs("11111-91111-11111"), "sharing") == 0);
}

TEST_CASE("motifs: an operator that the genome overrides is another") {
  const auto all = motifs("11111-91111|1:12223");
  CHECK(has(all, "class", "SA-1:12223"));
  CHECK(has(all, "pair", "SA-1:12223 → GMemless"));
  CHECK_FALSE(has(all, "class", "SA-1"));
  CHECK(has(all, "class", "GMemless"));
}

TEST_CASE("motifs: counts, tests and their adjustment") {
  // A in 3 of 4 of the group, and in 1 of 4 others; B in 2 and 2; C in 1; D in none of the group.
  const MotifSets group = {made({"A", "B"}), made({"A"}), made({"A", "B"}), made({"C"})};
  const MotifSets others = {made({"A"}), made({"B", "D"}), made({"B"}), made({"D"})};
  const auto findings = find_motifs(group, {{"others", others}}, {}, 2);
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].motif.text == "A");
  CHECK(findings[0].count == 3);
  const Enrichment& a = findings[0].among.at("others");
  const Enrichment& b = findings[1].among.at("others");
  CHECK(a.others == 1);
  CHECK(a.p == doctest::Approx(17.0 / 70));  // (4·4 + 1·1) / (8 choose 4)
  CHECK(b.others == 2);
  CHECK(b.p == fisher_greater(2, 4, 2, 4));
  // Four motifs of the kind occur: A, B, C and D, of which D is absent from the group.
  const std::vector<double> p = {a.p, b.p, fisher_greater(1, 4, 0, 4), 1};
  CHECK(a.adjusted == benjamini_hochberg(p)[0]);
  CHECK(b.adjusted == benjamini_hochberg(p)[1]);
  CHECK(findings[0].effects.empty());
  CHECK(find_motifs(group, {{"others", others}}, {}, 1).size() == 3);
  CHECK(find_motifs(group, {{"others", others}}, {}, 4).empty());
}

TEST_CASE("motifs: kinds are adjusted apart, and come in their order") {
  const MotifSets group = {motifs("11111-91111"), motifs("11111-91111-51111")};
  const MotifSets others(20, motifs("71111-71111-71111"));
  const auto findings = find_motifs(group, {{"others", others}}, {}, 1);
  REQUIRE(findings.size() == 6);
  const double both = 1.0 / 231;  // 1 / (22 choose 2)
  CHECK(findings[0].motif.kind == "class");
  CHECK(found(findings, "SA-1").among.at("others").p == doctest::Approx(both));
  // Four classes, of which two have this least p; three pairs, of which one.
  CHECK(found(findings, "SA-1").among.at("others").adjusted == doctest::Approx(both * 4 / 2));
  CHECK(found(findings, "SA-1 → GMemless").among.at("others").adjusted ==
        doctest::Approx(both * 3));
  CHECK(findings.back().motif.kind == "triple");
}

TEST_CASE("motifs: of a kind, the least p of all comparisons comes first") {
  const MotifSets group(6, made({"A", "Z"}));
  MotifSets half(6, made({"Z"}));
  for (size_t i = 0; i < 3; ++i) half[i] = made({"A", "Z"});
  // Z stands out from the first alone, A a little from the second.
  const auto findings =
      find_motifs(group, {{"first", MotifSets(6, made({"A"}))}, {"second", half}}, {}, 1);
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].motif.text == "Z");
  CHECK(findings[0].among.at("first").p < findings[1].among.at("second").p);
  CHECK(findings[1].among.at("second").p < findings[0].among.at("second").p);
}

TEST_CASE("motifs: effects among the evaluated") {
  Judged judged;
  judged.motifs = {made({"A"}), made({"A", "B"}), made({"A"}), made({"C"}), made({"C"}), made({})};
  judged.objectives["quality"] = {1, 2, 3, 7, 8, 9};
  judged.objectives["params"] = {5, 5, 5, 5, 5, 5};
  const auto findings = find_motifs({made({"A"}), made({"A", "B"})}, {}, judged, 1);
  const MotifFinding& a = found(findings, "A");
  CHECK(a.with == 3);
  CHECK(a.without == 3);
  CHECK(a.effects.at("quality").mean_with == 2);
  CHECK(a.effects.at("quality").mean_without == 8);
  CHECK(a.effects.at("quality").p == doctest::Approx(0.1));  // 2 / (6 choose 3)
  // Nothing can be said of what is the same for all.
  CHECK(std::isnan(a.effects.at("params").p));
  CHECK(found(findings, "B").effects.count("quality"));
  // Those that fewer have, or have not, than asked for are left out.
  CHECK(find_motifs({made({"A"}), made({"A", "B"})}, {}, judged, 2)[0].effects.count("quality"));
  Judged all_alike = judged;
  all_alike.motifs.assign(6, made({"A"}));
  CHECK(find_motifs({made({"A"})}, {}, all_alike, 1)[0].effects.empty());
}

}  // namespace star::synthesis
