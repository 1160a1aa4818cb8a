#include "star/reference.h"

#include <doctest/doctest.h>

#include "core/error.h"
#include "liv/pool_file.h"
#include "star/candidate.h"
#include "star/tasks.h"

using namespace star;

using namespace star::synthesis;

TEST_CASE("reference: twice a Transformer, also where the pool of the search cannot write one") {
  Pool without = paper_pool();
  std::erase_if(without.classes, [](auto& c) { return c.id == '1'; });
  SearchSettings settings;
  settings.min_depth = settings.max_depth = 2;
  settings.sizes = {.width = 16, .heads = 2, .vocab = 16, .seq = 16};
  settings.cache_context = 64;
  settings.objectives = parse_objectives("quality,params,memory");
  const TaskData data(parse_task("recall:V=16,L=16"), 1);
  auto point_in = [&](const std::string& pool) {
    settings.pool = pool;
    LocalWorkers workers(1, {}, [&](const Request& r) { return answer(settings, data, r); });
    return reference_point(settings, workers, {}).value();
  };
  const auto usual = point_in("paper"), own = point_in(pool_text(without));
  CHECK(own.at("quality") == doctest::Approx(std::log(16.0)));
  CHECK(own.at("params") == usual.at("params"));
  CHECK(own.count("memory") == 1);
}
