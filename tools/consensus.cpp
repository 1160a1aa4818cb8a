// star consensus: the majority by place of the best of a search.
#include "star/after/consensus.h"

#include "liv/pool_file.h"
#include "tools/options.h"
#include "tools/run_command.h"
#include "tools/table.h"

namespace star {
namespace {

struct ConsensusCommand : RunCommand {
  std::string from;
  int top = 8;

  void execute() {
    open();
    if (from.empty()) from = usual_group(settings());
    std::vector<Subject> members = subjects_of(study(), from);
    members.resize(std::min(members.size(), size_t(top)));
    const Pool pool = named_pool(settings().pool);
    std::vector<Genome> ranked;
    for (auto& member : members) ranked.push_back(parse(member.genome, pool));
    const Consensus consensus = consensus_of(ranked, pool);
    common.json ? print_document(consensus, members) : print_text(consensus, members, pool);
  }

 private:
  // As it was voted, before repair and numbering.
  static std::string segment_text(const Segment& segment) {
    return to_text(Genome{{segment}, {}, {}});
  }

  void print_document(const Consensus& consensus, const std::vector<Subject>& members) const {
    nlohmann::json places = nlohmann::json::array(), genomes = nlohmann::json::array();
    for (auto& place : consensus.places)
      places.push_back({{"segment", segment_text(place.segment)},
                        {"class", std::string(1, place.segment.liv)},
                        {"votes", place.votes},
                        {"of", place.of}});
    for (auto& member : members) genomes.push_back(member.genome);
    print_json({{"run", path},
                {"from", from},
                {"genome", to_text(consensus.genome)},
                {"depth_votes", consensus.depth_votes},
                {"places", places},
                {"genomes", genomes}});
  }

  void print_text(const Consensus& consensus, const std::vector<Subject>& members,
                  const Pool& pool) const {
    fmt::print("{}\nthe majority of {} genomes, the best {}; {} of them are of this depth\n\n",
               to_text(consensus.genome), members.size(), group_text(from), consensus.depth_votes);
    Table table({"place", "votes", "of", "segment", "class"});
    for (size_t i = 0; i < consensus.places.size(); ++i) {
      const ConsensusPlace& place = consensus.places[i];
      table.add({std::to_string(i + 1), std::to_string(place.votes), std::to_string(place.of),
                 segment_text(place.segment), pool.find(place.segment.liv)->name});
    }
    fmt::print("{}", table.text());
  }
};

}  // namespace

void declare_consensus(CLI::App& app) {
  auto c = std::make_shared<ConsensusCommand>();
  CLI::App* sub = app.add_subcommand(
      "consensus", "The genome of what most of the best of a search have in each place");
  c->declare(*sub);
  add_group(*sub, c->from, "Whose majority");
  add_whole(*sub, "--top", c->top, 1, 1 << 16, "So many of them, best first")
      ->capture_default_str();
  sub->callback([c] { c->execute(); });
}

}  // namespace star
