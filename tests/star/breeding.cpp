#include "star/breeding.h"

#include "tests/star/instant_search.h"

namespace star::synthesis {

TEST_CASE("breeding: where the backbone does not evolve, random genomes are mutants of the seeds") {
  SearchSettings settings = small_settings();
  settings.evolve = {"operator"};
  const auto backbones = [&] {
    std::set<std::string> all;
    for (const Genome& genome : random_genomes(settings, 60)) {
      const std::string text = to_text(genome);
      CHECK(text.find('|') != text.npos);
      all.insert(text.substr(0, text.find('|')));
    }
    return all;
  };
  CHECK(backbones() == std::set<std::string>{"11111-91111-11111-91111", "51111-91111-51111-91111",
                                             "71111-91111-71111-91111"});
  settings.start = {"@mamba:2"};
  CHECK(backbones() == std::set<std::string>{"51111-91111"});
  settings.start = {kNoStart};
  CHECK(backbones().size() > 30);
}

}  // namespace star::synthesis
