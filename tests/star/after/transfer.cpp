#include "star/after/transfer.h"

#include "tests/star/after/instant.h"

namespace star::synthesis {
namespace {

InstantRun searched() {
  InstantRun run;
  for (int i = 1; i <= 4; ++i) run.found(fmt::format("{}1111-91111", i), i, 10 * i);
  run.close({"11111-91111", "21111-91111", "31111-91111", "41111-91111"}, {});
  // In the larger model the order is turned round.
  run.result = [](const Trial& t) { return trained(10 - (t.genome[0] - '0'), 1); };
  return run;
}

}  // namespace

TEST_CASE("transfer: the larger model has the search's rate, and the orders are compared") {
  InstantRun run = searched();
  TransferOptions options;
  options.names = {};
  const TransferTable table = transfer_table(run.study(), options);
  REQUIRE(table.rows.size() == 4);
  const Trial& large = run.asked[0];
  CHECK(large.sizes.width == 32);
  CHECK(large.sizes.heads == 4);
  CHECK(large.training.learning_rate == 0.01);
  CHECK(large.training.steps == 10);
  CHECK(large.recipe == "width=32,heads=4,repeat=2,steps=10,batch=8,lr=0.01,seed=5");
  CHECK(table.agreements[0].kendall.tau == -1);
  CHECK(table.agreements[0].n == 4);
  CHECK(table.rows[0].tuned.subject.genome == "41111-91111");
  CHECK(table.rows[0].small_rank == 4);
  CHECK(table.rows[0].large_rank == 1);
  CHECK(table.rows[0].small.recipe == "search");
}

TEST_CASE("transfer: who was trained from several seeds is the mean") {
  InstantRun run = searched();
  run.settings.reseed = 1;
  run.contents.evaluations.push_back(
      evaluation("11111-91111", {{"quality", 8}, {"params", 10}, {"cache", 64}}, "search:seed=1"));
  TransferOptions options;
  options.names = {"@mamba"};
  const TransferTable table = transfer_table(run.study(), options);
  for (auto& row : table.rows)
    if (row.tuned.subject.genome == "11111-91111") {
      CHECK(row.small.metrics.at("quality") == 4.5);
      CHECK(row.small_rank == 4);  // behind 2, 3 and 4
    }
}

TEST_CASE("transfer: stretching, sizes and rates are asked for as they were said") {
  InstantRun run = searched();
  TransferOptions options;
  options.names = {"@conv"};
  options.top = 1;
  options.stretch = true;
  options.repeat = 3;
  options.width = 24;
  options.heads = 3;
  options.steps = 7;
  options.rates = {0.01, 0.003};
  run.result = [](const Trial& t) { return trained(1 + t.training.learning_rate, 1); };
  const TransferTable table = transfer_table(run.study(), options);
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[0].large().recipe ==
        "width=24,heads=3,stretch=3,steps=7,batch=8,lr=0.003,seed=5");
  CHECK(run.asked[0].stretch);
  CHECK(run.asked.size() == 4 + 1);
  CHECK(run.asked[4].recipe == "baseline");  // the search does not know @conv
  options.heads = 5;
  CHECK_THROWS_AS(transfer_table(run.study(), options), Error);
}

TEST_CASE("transfer: what failed is last and has no rank") {
  InstantRun run = searched();
  run.result = [](const Trial& t) {
    return t.genome[0] == '2' ? Metrics() : trained(t.genome[0] - '0', 1);
  };
  TransferOptions options;
  options.names = {};
  const TransferTable table = transfer_table(run.study(), options);
  CHECK_FALSE(table.rows[3].ok());
  CHECK(table.rows[3].failure() == "diverged");
  CHECK(table.rows[3].large_rank == 0);
  CHECK(table.agreements[0].n == 3);
  CHECK(table.agreements[0].kendall.tau == 1);
}

}  // namespace star::synthesis
