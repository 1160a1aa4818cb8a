// The search with a model that chooses (star/screening.h).
#include "tests/star/instant_search.h"

namespace star::synthesis {

TEST_CASE("search: a model screens, whatever the workers and wherever it was stopped") {
  TemporaryFolder folder;
  std::set<std::string> different;
  int run_number = 0;
  for (bool rungs : {false, true})
    for (int lag : {kByGenerations, 3}) {
      SearchSettings settings = with_seeds(lag, rungs);
      settings.population = rungs ? 8 : 14;
      settings.generations = 5;
      for (int screen : {0, 3}) {
        settings.screen = screen;
        auto look = [&](const Run& now, const std::string& path) {
          CHECK(now.result.evaluated + now.result.stopped ==
                settings.cohort_sizes().front() * settings.generations);
          open_run_file(path);
          CHECK(std::isnan(now.result.history[0].model_tau));
          CHECK(std::isnan(now.result.history[4].model_tau) == (screen == 0));
        };
        const std::string expected = run_on_some_workers(settings, folder, run_number, look);
        different.insert(expected);
        const std::string path = folder.file(fmt::format("stopped{}.run", run_number));
        CHECK(run_in_pieces(settings, path, 9).end.contents == expected);
      }
    }
  CHECK(different.size() == 8);
}

}  // namespace star::synthesis
