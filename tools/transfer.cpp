// star transfer: whether what is better at the size of the search is better in a larger model.
#include "star/statistics.h"
#include "tools/options.h"
#include "tools/run_command.h"
#include "tools/table.h"

namespace star {
namespace {

const std::vector<std::string> kCompared = {"quality", "params", "cache"};

struct Transfer : RunCommand {
  std::vector<std::string> names = {"@transformer", "@hybrid", "@mamba"};
  std::string of = "front";
  int top = 0, repeat = 2;
  int64_t width = 0, heads = 0, steps = 0;
  double lr = 0;

  struct Row {
    Subject subject;
    Evaluation small, large;
    double small_rank = 0, large_rank = 0;  // by quality

    bool ok() const { return small.ok() && large.ok(); }
  };

  void execute() {
    open();
    std::vector<Row> rows = train_all();
    rank(rows);
    const std::vector<Agreement> agreements = compare(rows);
    common.json ? print_documents(rows, agreements) : print_text(rows, agreements);
    if (!rows[0].ok()) throw Failure("every training failed; " + failure_of(rows[0]));
  }

 private:
  // The sizes, and the rate, that the command line leaves open follow the width.
  void scale(Trial& trial) const {
    const Sizes from = trial.sizes;
    trial.repeat = repeat;
    trial.sizes.width = width > 0 ? width : 2 * from.width;
    trial.sizes.heads =
        heads > 0 ? heads : std::max<int64_t>(1, from.heads * trial.sizes.width / from.width);
    check_sizes(trial.sizes);
    if (steps > 0) trial.training.steps = steps;
    trial.training.learning_rate =
        lr > 0 ? lr : trial.training.learning_rate * double(from.width) / double(trial.sizes.width);
  }

  std::vector<Row> train_all() {
    run->data->check(Split::test);
    std::vector<Subject> subjects = subjects_of(of);
    if (top > 0) subjects.resize(std::min(subjects.size(), size_t(top)));
    for (auto& name : names) subjects.push_back(named(name));
    std::vector<Trial> trials;
    for (auto& subject : subjects) {
      trials.push_back(trial_for(subject));
      scale(trials.back());
      apart(trials.back());
    }
    // Names are not known from the search.
    const size_t scaled = trials.size();
    for (auto& subject : subjects)
      if (!subject.searched) trials.push_back(trial_for(subject));
    std::vector<Evaluation> trained = train(trials);
    std::vector<Row> rows;
    for (size_t i = 0, small = scaled; i < scaled; ++i) {
      const auto& searched = subjects[i].searched;
      rows.push_back({subjects[i], searched ? *searched : trained[small++], trained[i]});
    }
    return rows;
  }

  // Best first in the larger model; what failed comes last and has no rank.
  void rank(std::vector<Row>& rows) const {
    std::vector<double> small, large;
    std::stable_partition(rows.begin(), rows.end(), [](auto& row) { return row.ok(); });
    for (auto& row : rows) {
      if (!row.ok()) break;
      small.push_back(metric_of(row.small, "quality"));
      large.push_back(metric_of(row.large, "quality"));
    }
    const std::vector<double> small_ranks = ranks(small), large_ranks = ranks(large);
    for (size_t i = 0; i < small.size(); ++i) {
      rows[i].small_rank = small_ranks[i];
      rows[i].large_rank = large_ranks[i];
    }
    std::stable_sort(rows.begin(), rows.begin() + long(small.size()),
                     [](auto& a, auto& b) { return a.large_rank < b.large_rank; });
  }

  std::vector<Agreement> compare(const std::vector<Row>& rows) const {
    std::vector<Agreement> agreements;
    for (auto& name : kCompared) {
      std::vector<double> small, large;
      for (auto& row : rows) {
        if (!row.ok()) continue;
        small.push_back(metric_of(row.small, name));
        large.push_back(metric_of(row.large, name));
      }
      agreements.push_back({name + " in the search", name + " of the larger model",
                            kendall_tau(small, large), int64_t(small.size())});
    }
    return agreements;
  }

  static std::string failure_of(const Row& row) {
    return row.small.ok() ? row.large.failure : row.small.failure;
  }

  void print_documents(const std::vector<Row>& rows,
                       const std::vector<Agreement>& agreements) const {
    nlohmann::json document = {{"run", path}, {"rows", nlohmann::json::array()}};
    for (auto& row : rows) {
      nlohmann::json j = {{"genome", row.subject.genome},
                          {"search", row.small.metrics},
                          {"transfer", row.large.metrics}};
      if (!row.subject.name.empty()) j["name"] = row.subject.name;
      if (row.ok())
        j.update({{"search_rank", row.small_rank}, {"transfer_rank", row.large_rank}});
      else
        j["failure"] = failure_of(row);
      document["rows"].push_back(std::move(j));
    }
    for (size_t i = 0; i < kCompared.size(); ++i)
      document["agreement"][kCompared[i]] = agreements[i].json();
    Trial larger = candidate_trial(settings(), "");
    scale(larger);
    document["sizes"] = {{"width", larger.sizes.width},
                         {"heads", larger.sizes.heads},
                         {"repeat", larger.repeat},
                         {"steps", larger.training.steps},
                         {"lr", larger.training.learning_rate}};
    print_json(document);
  }

  void print_text(const std::vector<Row>& rows, const std::vector<Agreement>& agreements) const {
    Trial larger = candidate_trial(settings(), "");
    const Sizes small = larger.sizes;
    scale(larger);
    fmt::print("width {} to {}, {} to {} heads, the backbone {} time{}, {} steps, rate {:.3g}\n\n",
               small.width, larger.sizes.width, small.heads, larger.sizes.heads, repeat,
               repeat == 1 ? "" : "s", larger.training.steps, larger.training.learning_rate);
    Table table({"rank", "of", "quality", "of", "params", "of", "cache", "of", "genome"});
    for (auto& row : rows) {
      if (!row.ok()) {
        table.add(
            {"-", "-", "-", "-", "-", "-", "-", "-", row.subject.label() + ": " + failure_of(row)});
        continue;
      }
      std::vector<std::string> cells = {fmt::format("{}", row.large_rank),
                                        fmt::format("{}", row.small_rank)};
      for (auto& name : kCompared)
        for (auto* e : {&row.large, &row.small})
          cells.push_back(metric_text(name, metric_of(*e, name)));
      cells.push_back(row.subject.label());
      table.add(cells);
    }
    std::vector<const Metrics*> judged;
    for (auto& row : rows)
      for (auto* e : {&row.large, &row.small}) judged.push_back(&e->metrics);
    fmt::print("{}\n(of: at the size of the search)\n{}\n{}", table.text(), judged_text(judged),
               agreements_text(agreements));
  }
};

}  // namespace

void declare_transfer(CLI::App& app) {
  auto c = std::make_shared<Transfer>();
  CLI::App* sub = app.add_subcommand(
      "transfer", "Trains the same genomes wider and deeper, and compares the two orders");
  c->declare(*sub);
  c->declare_trainings(*sub);
  constexpr int64_t kMost = int64_t(1) << 20;
  sub->add_option("names", c->names,
                  "Genomes beside those of the search: names, at its depth unless they say another")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->capture_default_str();
  sub->add_option("--of", c->of, "Which genomes of the search")
      ->check(CLI::IsMember(kSubjectGroups))
      ->capture_default_str();
  add_whole(*sub, "--top", c->top, 0, 1 << 16,
            "So many of them, best first in its first objective; 0: all")
      ->capture_default_str();
  add_whole(*sub, "--width", c->width, 1, kMost,
            "Width of the larger model (default: twice the search's)");
  add_whole(*sub, "--heads", c->heads, 1, kMost,
            "Its heads (default: so many that they keep their width)");
  add_whole(*sub, "--repeat", c->repeat, 1, 1000,
            "How often the backbone stands in it, each time with weights of its own")
      ->capture_default_str();
  add_whole(*sub, "--steps", c->steps, 1, int64_t(1) << 40,
            "Training steps (default: the search's)");
  add_real(*sub, "--lr", c->lr, reals_above_zero(),
           "Peak learning rate (default: the search's over the growth in width)");
  sub->callback([c] { c->execute(); });
}

}  // namespace star
