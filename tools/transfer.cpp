// star transfer: whether what is better at the size of the search is better in a larger model.
#include "star/after/transfer.h"

#include "tools/options.h"
#include "tools/run_command.h"
#include "tools/table.h"

namespace star::cli {
namespace {

struct Transfer : RunCommand {
  TransferOptions options;

  void execute() {
    open();
    run->data->check(Split::test);
    const TransferTable table = transfer_table(study(), options);
    common.json ? print_documents(table) : print_text(table);
    if (!table.rows[0].ok()) throw Failure("every training failed; " + table.rows[0].failure());
  }

 private:
  void print_documents(const TransferTable& table) {
    const TransferOptions& o = table.options;
    nlohmann::json document = {{"run", path}, {"from", o.from}, {"rows", nlohmann::json::array()}};
    for (auto& row : table.rows) {
      const Subject& subject = row.tuned.subject;
      nlohmann::json j = {{"genome", subject.genome},
                          {"search", row.small.metrics},
                          {"transfer", row.large().metrics}};
      j.update(rates_json(study(), row.tuned, {"quality", "test_quality", "train_loss"}));
      if (!subject.name.empty()) j["name"] = subject.name;
      if (row.ok())
        j.update({{"search_rank", row.small_rank}, {"transfer_rank", row.large_rank}});
      else
        j["failure"] = row.failure();
      document["rows"].push_back(std::move(j));
    }
    for (size_t i = 0; i < kTransferred.size(); ++i)
      document["agreement"][kTransferred[i]] = agreement_json(table.agreements[i]);
    document["sizes"] = {{"width", o.width},     {"heads", o.heads}, {"repeat", o.repeat},
                         {"stretch", o.stretch}, {"steps", o.steps}, {"lr", o.rates}};
    print_json(document);
  }

  void print_text(const TransferTable& table) {
    const TransferOptions& o = table.options;
    const Sizes& small = settings().sizes;
    fmt::print("width {} to {}, {} to {} heads, {} {} time{}, {} steps, rate {}\n\n", small.width,
               o.width, small.heads, o.heads, o.stretch ? "each LIV in place" : "the backbone",
               o.repeat, o.repeat == 1 ? "" : "s", o.steps,
               o.rates.size() == 1 ? fmt::format("{}", o.rates[0]) : "by validation loss");
    Table text({"rank", "of", "quality", "of", "params", "of", "cache", "of", "rate", "genome"});
    std::vector<const Metrics*> judged;
    std::vector<const Tuned*> tuned;
    for (auto& row : table.rows) {
      text.add(cells_of(row));
      for (auto* e : {&row.large(), &row.small}) judged.push_back(&e->metrics);
      tuned.push_back(&row.tuned);
    }
    fmt::print("{}\n(of: at the size of the search)\n{}{}\n{}", text.text(), judged_text(judged),
               rates_text(tuned), agreements_text(table.agreements));
  }

  std::vector<std::string> cells_of(const TransferRow& row) {
    const std::string& label = row.tuned.subject.label();
    if (!row.ok())
      return {"-", "-", "-", "-", "-", "-", "-", "-", "-", label + ": " + row.failure()};
    std::vector<std::string> cells = {fmt::format("{}", row.large_rank),
                                      fmt::format("{}", row.small_rank)};
    for (auto& name : kTransferred)
      for (auto* e : {&row.large(), &row.small})
        cells.push_back(metric_text(name, metric_of(*e, name)));
    cells.push_back(fmt::format("{}", row.tuned.chosen().rate));
    cells.push_back(label);
    return cells;
  }
};

}  // namespace

void declare_transfer(CLI::App& app) {
  auto c = std::make_shared<Transfer>();
  TransferOptions& o = c->options;
  CLI::App* sub = app.add_subcommand(
      "transfer", "Trains the same genomes wider and deeper, and compares the two orders");
  c->declare(*sub);
  c->declare_trainings(*sub);
  constexpr int64_t kMost = int64_t(1) << 20;
  sub->add_option("names", o.names,
                  "Genomes beside those of the search: names, at its depth unless they say another")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->capture_default_str();
  add_group(*sub, o.from, "Which genomes of the search");
  add_whole(*sub, "--top", o.top, 0, 1 << 16,
            "So many of them, best first in its first objective; 0: all")
      ->capture_default_str();
  add_whole(*sub, "--width", o.width, 1, kMost,
            "Width of the larger model (default: twice the search's)");
  add_whole(*sub, "--heads", o.heads, 1, kMost,
            "Its heads (default: so many that they keep their width)");
  add_whole(*sub, "--repeat", o.repeat, 1, 1000,
            "How often the backbone stands in it, each time with weights of its own")
      ->capture_default_str();
  sub->add_flag(
      "--stretch", o.stretch,
      "Repeats each LIV in place, as in A A B B, rather than the backbone, as in A B A B");
  add_whole(*sub, "--steps", o.steps, 1, int64_t(1) << 40,
            "Training steps (default: the search's)");
  add_rates(*sub, o.rates, "the larger model, which no rule of scaling changes");
  sub->callback([c] { c->execute(); });
}

}  // namespace star::cli
