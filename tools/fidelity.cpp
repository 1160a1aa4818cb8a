// star fidelity: how well the cheap signals of a search predict what it would be dear to know.
#include "star/after/fidelity.h"

#include "tools/options.h"
#include "tools/run_command.h"
#include "tools/table.h"

namespace star::cli {
namespace {

struct Fidelity : RunCommand {
  FidelityOptions options;

  void execute() {
    open();
    run->data->check(Split::test);
    const FidelityTable table = fidelity_table(study(), options);
    common.json ? print_documents(table) : print_text(table);
    if (std::none_of(table.rows.begin(), table.rows.end(), [](auto& row) { return row.ok(); }))
      throw Failure("every genome failed; " + table.rows[0].failure());
  }

 private:
  void print_documents(const FidelityTable& table) const {
    nlohmann::json document = {
        {"run", path}, {"steps", table.options.steps}, {"context", table.options.context}};
    for (auto& agreement : table.agreements) document["rows"].push_back(agreement_json(agreement));
    for (auto& row : table.rows) {
      nlohmann::json j = {{"genome", row.subject.genome},
                          {"search", row.subject.searched->metrics},
                          {"longer", row.longer.metrics},
                          {"measured", row.measured.metrics}};
      if (!table.options.downstream.empty()) j["task"] = row.task.metrics;
      if (!row.ok()) j["failure"] = row.failure();
      document["genomes"].push_back(std::move(j));
    }
    print_json(document);
  }

  static void print_text(const FidelityTable& table) {
    fmt::print("{} genomes of those that the search has evaluated\n\n{}", table.rows.size(),
               agreements_text(table.agreements));
    for (auto& row : table.rows)
      if (!row.ok()) fmt::print("\nleft out: {}: {}\n", row.subject.genome, row.failure());
  }
};

}  // namespace

void declare_fidelity(CLI::App& app) {
  auto c = std::make_shared<Fidelity>();
  CLI::App* sub = app.add_subcommand(
      "fidelity", "How well the cheap signals of a search predict the dear ones");
  c->declare(*sub);
  c->declare_judging(*sub);
  constexpr int64_t kMost = int64_t(1) << 40;
  add_whole(*sub, "--sample", c->options.sample, 2, 1 << 20,
            "Genomes, drawn from all that the search has evaluated")
      ->capture_default_str();
  add_whole(*sub, "--steps", c->options.steps, 1, kMost,
            "Of the long training (default: four times the search's)");
  sub->add_option("--downstream", c->options.downstream,
                  "A task to train on too, for its accuracy: as in mqar:D=8,L=128");
  add_whole(*sub, "--context", c->options.context, 1, kMost,
            "Tokens at which memory and latencies are measured (default: the search's)");
  sub->callback([c] { c->execute(); });
}

}  // namespace star::cli
