#include "star/recipe.h"

#include <doctest/doctest.h>

#include "core/error.h"
#include "star/request.h"

namespace star::synthesis {

TEST_CASE("recipe: what is written is read") {
  CHECK(Recipe().text() == "search");
  CHECK(Recipe().is_whole());
  CHECK(Recipe::of_seed(0) == Recipe());
  for (int64_t n : {int64_t(1), int64_t(30), int64_t(1) << 40}) {
    const Recipe rung = Recipe::at_rung(n);
    CHECK(rung.text() == fmt::format("search:rung={}", n));
    CHECK(Recipe(rung.text()).stops_at_rung());
    CHECK(Recipe(rung.text()).number() == n);
    CHECK(rung.is_of_search());
    CHECK_FALSE(rung.is_of_another_seed());
    CHECK_FALSE(rung.is_whole());
  }
  CHECK(Recipe::of_seed(2).text() == "search:seed=2");
  CHECK(Recipe("search:seed=2").is_of_another_seed());
  CHECK(Recipe("search:seed=2").number() == 2);
  CHECK(Recipe("width=8").with("task", "recall").text() == "width=8,task=recall");
}

TEST_CASE("recipe: other texts are none of the search, and bad numbers none at all") {
  for (const char* text : {"baseline", "", "search ", "searching", "search:", "search:lag=2"}) {
    CAPTURE(text);
    CHECK_FALSE(Recipe(text).is_of_search());
    CHECK_FALSE(Recipe(text).number().has_value());
  }
  for (const char* text : {"search:rung=", "search:rung=0", "search:seed=-1", "search:seed=x",
                           "search:rung=99999999999999999999"}) {
    CAPTURE(text);
    CHECK(Recipe(text).is_of_search());
    CHECK_FALSE(Recipe(text).number().has_value());
  }
}

TEST_CASE("request: comes back from its text as it was") {
  for (const Request& request :
       {Request{.measure = true, .genome = "11111", .pool = "extended"},
        Request{.genome = "91111|9:1\"", .recipe = Recipe::at_rung(3), .states = "/a b"},
        Request{.genome = "11111", .states = "/no UTF-8: \xff\n"}})
    CHECK(request_of(to_text(request)) == request);
  CHECK_THROWS_AS(request_of("nothing"), Error);
}

}  // namespace star::synthesis
