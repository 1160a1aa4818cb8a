// star final: the best of a search and known architectures, trained longer from several seeds, each
// at its best learning rate, and compared on the test part, which the search has not seen.
#include "star/after/final.h"

#include <cmath>

#include "tools/options.h"
#include "tools/run_command.h"
#include "tools/table.h"

namespace star::cli {
namespace {

struct Final : RunCommand {
  FinalOptions options;

  void execute() {
    require(options.top > 0 || (options.from.empty() && options.by.empty()),
            "--top 0: none of the search's, and --from and --by have no effect");
    open();
    run->data->check(Split::test);
    const FinalTable table = final_table(study(), options);
    common.json ? print_documents(table) : print_text(table);
    const AtRate& first = table.rows[0].tuned.chosen();
    if (first.done().empty()) throw Failure("every training failed; " + first.failure());
  }

 private:
  static const FinalRow* reference_of(const FinalTable& table) {
    return table.reference < 0 ? nullptr : &table.rows[size_t(table.reference)];
  }

  // By how much a row's value differs from the reference's, as a share of that.
  static double relative(double value, double reference) {
    return reference == 0 ? std::nan("") : value / reference - 1;
  }

  double figure(const FinalRow& row, const char* name) {
    return metric_of(*row.tuned.chosen().done()[0], name);
  }

  double relative_of(const FinalRow& row, const FinalRow& reference, const char* name) {
    return relative(figure(row, name), figure(reference, name));
  }

  nlohmann::json row_json(const FinalRow& row, const FinalTable& table) {
    const AtRate& at = row.tuned.chosen();
    const Subject& subject = row.tuned.subject;
    nlohmann::json j = {{"kind", row.baseline ? "baseline" : table.options.from},
                        {"genome", subject.genome},
                        {"seeds", at.done().size()},
                        {"failed", at.failed()}};
    if (!subject.name.empty()) j["name"] = subject.name;
    if (at.failed() > 0) j["failure"] = at.failure();
    j.update(rates_json(study(), row.tuned, {"quality", "test_quality", "train_loss"}));
    if (!row.tuned.ok()) return j;
    for (const char* name : {"params", "body_params", "cache", "flops"})
      j[name] = figure(row, name);
    for (auto& [name, spread] : row.spread)
      j[name] = {{"mean", spread.mean}, {"deviation", spread.deviation}};
    if (const FinalRow* reference = reference_of(table))
      j["against_reference_percent"] = {
          {"test_quality",
           100 * relative(row.mean("test_quality"), reference->mean("test_quality"))},
          {"params", 100 * relative_of(row, *reference, "params")},
          {"cache", 100 * relative_of(row, *reference, "cache")}};
    if (auto& d = row.difference)
      j["difference"] = {{"seeds", d->n}, {"mean", d->mean}, {"standard_error", d->standard_error},
                         {"low", d->low}, {"high", d->high}, {"p", d->p}};
    return j;
  }

  void print_documents(const FinalTable& table) {
    nlohmann::json rows = nlohmann::json::array();
    for (auto& row : table.rows) rows.push_back(row_json(row, table));
    nlohmann::json document = {{"run", path}, {"steps", table.options.steps}, {"rows", rows}};
    if (table.options.top > 0) {
      document["from"] = table.options.from;
      document["by"] = table.options.by;
    }
    if (auto* reference = reference_of(table))
      document["reference"] = reference->tuned.subject.label();
    print_json(document);
  }

  static std::string in_bits(const Spread& nats) {
    return plus_minus(nats_to_bits(nats.mean), nats_to_bits(nats.deviation), 4);
  }

  static std::string origin_of(const FinalTable& table) {
    size_t found = 0;
    for (auto& row : table.rows) found += !row.baseline;
    if (found == 0) return "baselines alone";
    return fmt::format("the {} best {} by {}", found, group_text(table.options.from),
                       table.options.by);
  }

  void print_head(const FinalTable& table) {
    const int seeds = table.options.seeds;
    fmt::print(
        "{}; {} steps (the search had {}), mean ± standard deviation over {} seed{}; test part",
        origin_of(table), table.options.steps, settings().training.steps, seeds,
        seeds == 1 ? "" : "s");
    if (const FinalRow& any = table.rows[0]; any.tuned.ok())
      fmt::print(", {:.0f} targets, standard error of a loss {:.4f}", any.mean("test_targets"),
                 any.mean("test_standard_error"));
    if (auto* reference = reference_of(table))
      fmt::print("; in brackets against {}, and the difference of test losses, {}",
                 reference->tuned.subject.label(),
                 seeds == 1 ? "without an interval: that takes more seeds"
                            : "paired by seed, with its 95 % interval and the p of a t-test");
    fmt::print("\n\n");
  }

  static std::vector<std::string> difference_cells(const FinalRow& row) {
    if (!row.difference) return {"", ""};
    const PairedDifference& d = *row.difference;
    const std::string mean = fmt::format("{:+.4f}", d.mean);
    if (std::isnan(d.low)) return {mean, "-"};
    return {fmt::format("{} [{:+.4f}, {:+.4f}]", mean, d.low, d.high), probability(d.p)};
  }

  std::vector<std::string> cells_of(const FinalRow& row, const FinalRow* reference) {
    std::string label = row.tuned.subject.label();
    const AtRate& at = row.tuned.chosen();
    if (at.failed() > 0) label += ": " + at.failure();
    if (!row.tuned.ok()) return {"-", "", "-", "", "-", "-", "", "", "", "-", "-", "-", label};
    const FinalRow& other = reference ? *reference : row;
    auto compared = [&](double share) {
      return &other != &row && !std::isnan(share) ? fmt::format("({})", percent(share))
                                                  : std::string();
    };
    auto spread = [&](const char* name, int digits) {
      return plus_minus(row.mean(name), row.spread.at(name).deviation, digits);
    };
    const auto difference = difference_cells(row);
    return {fixed(figure(row, "params"), 0),
            compared(relative_of(row, other, "params")),
            fixed(figure(row, "cache"), 0),
            compared(relative_of(row, other, "cache")),
            fmt::format("{}", at.rate),
            spread("test_quality", 4),
            compared(relative(row.mean("test_quality"), other.mean("test_quality"))),
            difference[0],
            difference[1],
            row.spread.count("test_bpb") ? spread("test_bpb", 4)
                                         : in_bits(row.spread.at("test_quality")),
            spread("test_perplexity", 3),
            spread("test_accuracy", 4),
            label};
  }

  void print_text(const FinalTable& table) {
    print_head(table);
    const bool bytes = !run->data->token_bytes().empty();
    Table text({"params", "", "cache", "", "rate", "test loss", "", "difference", "p",
                bytes ? "bpb" : "bits a token", "perplexity", "accuracy", "genome"});
    std::vector<const Tuned*> tuned;
    for (auto& row : table.rows) {
      text.add(cells_of(row, reference_of(table)));
      tuned.push_back(&row.tuned);
    }
    fmt::print("{}{}", text.text(), rates_text(tuned));
  }
};

}  // namespace

void declare_final(CLI::App& app) {
  auto c = std::make_shared<Final>();
  FinalOptions& o = c->options;
  CLI::App* sub = app.add_subcommand(
      "final",
      "Trains the best of a search longer, from several seeds, and judges on the test part");
  c->declare(*sub);
  c->declare_judging(*sub);
  sub->add_option("names", o.names,
                  "Baselines: names, at the search's depth unless they say another, or genomes")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->capture_default_str();
  add_group(*sub, o.from, "Which genomes of the search");
  add_whole(*sub, "--top", o.top, 0, 1 << 16, "So many of them, best first; 0: the baselines alone")
      ->capture_default_str();
  sub->add_option("--by", o.by,
                  "The metric in which the least are best (default: the search's first objective)");
  add_whole(*sub, "--steps", o.steps, 1, int64_t(1) << 40,
            "Training steps (default: four times the search's)");
  add_whole(*sub, "--seeds", o.seeds, 1, 1 << 16,
            "Trainings of each, from --seed on: the same seeds, and so batches, for all")
      ->capture_default_str();
  add_rates(*sub, o.rates, "all");
  sub->add_option("--against", o.against,
                  "The genome or name that the differences are to (default: the baseline with the "
                  "least mean validation loss)");
  sub->callback([c] { c->execute(); });
}

}  // namespace star::cli
