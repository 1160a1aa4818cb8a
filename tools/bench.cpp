// star bench: kernels, the training step, prefill and decoding, against the rates of the machine
// measured in the same run.
#include <algorithm>
#include <cmath>
#include <fstream>

#include "autograd/contraction.h"
#include "core/clock.h"
#include "star/device.h"
#include "star/source_text.h"
#include "star/text.h"
#include "star/trial.h"
#include "tools/allocations.h"
#include "tools/bench_dump.h"
#include "tools/bench_kernels.h"
#include "tools/command.h"
#include "tools/kernel_clock.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/weights_option.h"

namespace star::cli {
namespace {

struct Timing {
  double least = 0, median = 0;  // seconds
};

// Runs f for so many seconds, at least five times, each to its end.
template <class F>
Timing time_of(const Exec& exec, double at_least, const F& f) {
  std::vector<double> seconds;
  double begin = seconds_now();
  while (seconds.size() < 5 || seconds_now() - begin < at_least) {
    double start = seconds_now();
    f();
    exec.wait();
    seconds.push_back(seconds_now() - start);
  }
  std::sort(seconds.begin(), seconds.end());
  return {seconds.front(), seconds[seconds.size() / 2]};
}

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

// What the machine does at best, in FLOPs and bytes a second: of a product and a copy that take
// milliseconds, which on a GPU are large ones.
struct Rates {
  double gemm = 0, memory = 0;
  int64_t n = 1024;  // the product's rows and columns

  Rates(Exec& exec, double seconds) {
    constexpr double kLongEnough = 5e-3;
    while (product(exec, 0) < kLongEnough) n *= 2;
    gemm = 2 * std::pow(double(n), 3) / product(exec, seconds);
    int64_t floats = int64_t(1) << 20;
    while (copying(exec, floats, 0) < kLongEnough) floats *= 2;
    memory = 8 * double(floats) / copying(exec, floats, seconds);
  }

 private:
  // Seconds.
  double product(Exec& exec, double at_least) const {
    Tensor a = exec.full({n, n}, DType::f32, 0.5), b = exec.full({n, n}, DType::f32, 0.5);
    Tensor c = exec.zeros({n, n}, DType::f32);
    const float *A = a.data<float>(), *B = b.data<float>();
    Gemm<float> args = {n, n, n, A, n, 1, B, n, 1, c.data<float>(), n, {}, {}, {}, {}, 1, 0};
    return time_of(exec, at_least, [&] { exec.kernels<float>().gemm(exec, args); }).least;
  }
  double copying(Exec& exec, int64_t floats, double at_least) const {
    Tensor x = exec.zeros({floats}, DType::f32), y = exec.zeros({floats}, DType::f32);
    return time_of(exec, at_least, [&] { exec.copy(x, y); }).least;
  }
};

// What computes.
std::string description(Exec& exec) {
  const Backend& backend = exec.backend();
  std::string name = processor();
  if (backend.memory) return fmt::format("{}, beside {}", backend.target, name);
  return fmt::format("{}, {}, OpenBLAS {}, {} threads", name, backend.target, cpu_kernels().blas,
                     exec.pool().threads());
}

struct Row {
  std::string what, name;
  Timing time;
  double flops = 0, bytes = 0;
  int64_t tokens = 0;
  nlohmann::json more = nlohmann::json::object();
};

struct Bench {
  Common common;
  ModelOptions model;
  std::vector<std::string> genomes, only = {"train", "prefill", "decode"};
  std::string dump, config;
  int batch = 8;
  MathName math = "fp32";
  WeightsOption weights;  // of prefill and decoding
  double seconds = 0.5;
  bool kernels = false, search = false;

  bool wanted(const char* what) const {
    return std::find(only.begin(), only.end(), what) != only.end();
  }

  static std::vector<std::string> every_class() {
    std::vector<std::string> all;
    for (const LivClass& liv : extended_pool().classes)
      if (!liv.differential)
        all.push_back(
            fmt::format("{0}1111-91111-{0}1111-91111-{0}1111-91111-{0}1111-91111", liv.id));
    return all;
  }

  // What a search trains: every class alone, and the designs that it is compared with.
  void fill_search(const CLI::App& app) {
    auto usual = [&](const char* option, auto& value, const auto& of_search) {
      if (app.count(option) == 0) value = of_search;
    };
    usual("--threads", common.threads, 1);
    usual("--width", model.sizes.width, int64_t(64));
    usual("--seq", model.length, int64_t(128));
    only = {"train"};
    if (!genomes.empty()) return;
    genomes = every_class();
    for (auto& name : genome_names()) genomes.push_back(fmt::format("{}:8", name));
  }

  void run() {
    auto exec = common.make_exec();
    if (!dump.empty()) {
      require(genomes.size() == 1, "bench: --dump takes one genome, not {}", genomes.size());
      check_output(dump, {config, model.pool_path});
      Subject s(*this, *exec, genomes[0]);
      dump_step(dump, *exec, s.backbone, s.data.train_batch(0, 0, batch), genomes[0]);
      if (common.json) return print_json({{"dump", dump}, {"genome", genomes[0]}});
      return fmt::print("{}: the first training step of {}\n", dump, genomes[0]);
    }
    kernels = kernels || genomes.empty();
    if (genomes.empty()) genomes = every_class();
    for (auto& genome : genomes) check_genome(genome);  // before anything is timed
    const Rates rates = [&] {
      const MathScope scope(*exec, math->math);
      return Rates(*exec, seconds);
    }();
    nlohmann::json rows = nlohmann::json::array();
    if (!common.json)
      fmt::print(
          "{}: {:.1f} GFLOP/s in a product of {} x {} in {}, "
          "{:.1f} GB/s in a copy\n\n{:8} {:26} {:>10} {:>10} {:>11} {:>9} {:>6} {:>6}\n",
          description(*exec), rates.gemm / 1e9, rates.n, rates.n, math, rates.memory / 1e9, "", "",
          "least ms", "median ms", "tokens/s", "GFLOP/s", "GEMM", "mem.");
    auto report = [&](const Row& row) { rows.push_back(print(row, rates)); };
    if (kernels) {
      bench_kernels(report);
      bench_planning(report);
    }
    for (auto& genome : genomes) bench_genome(genome, report);
    if (common.json)
      print_json({{"machine", processor()},
                  {"device", exec->backend().name},
                  {"target", exec->backend().target},
                  {"blas", cpu_kernels().blas},
                  {"threads", exec->pool().threads()},
                  {"math", math.name()},
                  {"gemm_gflops", rates.gemm / 1e9},
                  {"memory_gb_s", rates.memory / 1e9},
                  {"rows", rows}});
  }

  // What is counted beside the time.
  static std::string also(const Row& row) {
    std::string text;
    for (auto& [name, value] : row.more.items())
      if (name.ends_with("_a_call") || name.starts_with("launches"))
        text += fmt::format("  {} {:.4g}", name, value.get<double>());
    if (!row.more.contains("kernels")) return text;
    // The longest of them, and the rest.
    constexpr size_t kShown = 5;
    const nlohmann::json& kernels = row.more.at("kernels");
    double rest = 1;
    for (size_t i = 0; i < std::min(kShown, kernels.size()); ++i) {
      const double share = kernels[i].at("share");
      text += fmt::format("  {} {:.0f}%", kernels[i].at("kernel").get<std::string>(), 100 * share);
      rest -= share;
    }
    return text + fmt::format("  rest {:.0f}%", 100 * rest);
  }

  nlohmann::json print(const Row& row, const Rates& rates) const {
    double rate = row.flops / row.time.least, share = rate / rates.gemm;
    double memory = row.bytes / row.time.least / rates.memory;
    double tokens = double(row.tokens) / row.time.least;
    if (!common.json)
      fmt::print("{:8} {:26} {:10.3f} {:10.3f} {:>11} {:9.1f} {:5.0f}% {:>6}{}\n", row.what,
                 row.name, 1e3 * row.time.least, 1e3 * row.time.median,
                 row.tokens ? fmt::format("{:.0f}", tokens) : "", rate / 1e9, 100 * share,
                 row.bytes > 0 ? fmt::format("{:.0f}%", 100 * memory) : "", also(row));
    nlohmann::json json = {{"what", row.what},           {"name", row.name},
                           {"ms", 1e3 * row.time.least}, {"median_ms", 1e3 * row.time.median},
                           {"gflops", rate / 1e9},       {"gemm_share", share}};
    if (row.tokens) json["tokens_per_s"] = tokens;
    if (row.bytes > 0) json["memory_share"] = memory;
    json.update(row.more);
    return json;
  }

  // A genome in the model.
  Trial trial_of(const std::string& text, const Sizes& sizes) const {
    Pool pool;
    return {.genome = to_text(model.genome(text, pool)),
            .pool = model.pool,
            .sizes = sizes,
            .training = {.steps = 1 << 20, .batch = batch, .math = math}};
  }

  void check_genome(const std::string& text) const {
    model_of(trial_of(text, model.sizes), nullptr);
  }

  template <class F>
  void bench_kernels(const F& report) {
    auto exec = common.make_exec();
    BenchSizes sizes{batch, model.length > 0 ? model.length : 256, model.sizes.width,
                     model.sizes.heads};
    auto wide = kernel_benches(*exec, DType::f64, sizes);
    auto narrow = kernel_benches(*exec, DType::f32, sizes);
    for (size_t i = 0; i < narrow.size(); ++i) {
      wide[i].run();
      narrow[i].run();
      check(narrow[i], wide[i]);
      report({"kernel", narrow[i].name, time_of(*exec, seconds, narrow[i].run), narrow[i].flops,
              narrow[i].bytes});
    }
  }

  // What a contraction costs beside its kernels, on tensors of hardly any numbers: read and planned
  // anew for each call, and as an operator keeps it.
  template <class F>
  void bench_planning(const F& report) const {
    auto exec = common.make_exec();
    Tape tape(*exec, false);
    const std::string network = "bihn,b[i..j]h,bjhn,bjhv->bihv";
    Var x = tape.constant(exec->full({1, 2, 1, 1}, DType::f32, 0.5));
    Var decay = tape.constant(exec->full({1, 2, 1}, DType::f32, 0.5));
    const Contraction kept(network);
    const auto row = [&](const char* name, const std::function<int64_t()>& call) {
      call();
      int64_t plans = 0, calls = 0;
      const int64_t before = allocations();
      for (; calls < 100; ++calls) plans += call();
      const double count = double(allocations() - before) / double(calls);
      report(Row{"plan",
                 name,
                 time_of(*exec, seconds, [&] { call(); }),
                 0,
                 0,
                 0,
                 {{"plans_a_call", double(plans) / double(calls)}, {"allocations_a_call", count}}});
    };
    row("contraction, anew", [&] {
      const Contraction fresh(network);
      fresh({x, decay, x, x});
      return fresh.plans();
    });
    row("contraction, kept", [&] {
      const int64_t before = kept.plans();
      kept({x, decay, x, x});
      return kept.plans() - before;
    });
  }

  // Nothing is timed that is wrong: float against double on the same inputs.
  static void check(const KernelBench& narrow, const KernelBench& wide) {
    std::vector<double> a = narrow.output.to_doubles(), b = wide.output.to_doubles();
    constexpr double kZero = 1e-12;  // as the gradient of a softmax of one place, rounded
    double error = 0, scale = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      error = std::max(error, std::abs(a[i] - b[i]));
      scale = std::max(scale, std::abs(b[i]));
    }
    if (scale < kZero) scale = 1;
    if (!(error / scale < 1e-3))
      throw Failure(
          fmt::format("kernel {}: float is {:.1e} off double", narrow.name, error / scale));
  }

  // A genome as a model, and the text that it is timed on.
  struct Subject {
    TextData data;
    Trial trial;
    Backbone backbone;

    Subject(const Bench& bench, Exec& exec, const std::string& text)
        : data(source_text(), int(bench.model.length > 0 ? bench.model.length : 256), "source"),
          trial(bench.trial_of(text, bench.model.for_data(data))),
          backbone(model_of(trial, &exec)) {}
  };

  template <class F>
  void bench_genome(const std::string& text, const F& report) {
    auto exec = common.make_exec();
    Subject s(*this, *exec, text);
    std::string name = text.size() > 26 ? text.substr(0, 23) + "..." : text;
    nlohmann::json about = {{"genome", text}, {"params", s.backbone.parameter_count()}};

    if (search) about["kernels"] = kernel_shares(*exec, text);
    if (wanted("train")) report(training_row(*exec, s, name, about));
    weights.apply(*exec, s.backbone);
    about["weights"] = weights.form;
    if (wanted("prefill") || wanted("decode"))
      decoding_rows(*exec, s.backbone, s.data, name, about, report);
  }

  // Of the time of training steps, the longest first.
  nlohmann::json kernel_shares(Exec& exec, const std::string& text) const {
    KernelClock clock(exec.backend());
    Exec timed(clock.backend(), exec.pool().threads());
    Subject s(*this, timed, text);
    double begin = 0, end = 0;
    const auto after_step = [&](const StepReport& step) {
      end = seconds_now();
      if (step.number <= 2) clock.reset(), begin = end;
      return step.number < 7 || end - begin < seconds;
    };
    train_and_judge(timed, s.backbone, s.data, s.trial, after_step);
    nlohmann::json shares = nlohmann::json::array();
    for (auto& time : clock.times())
      shares.push_back({{"kernel", time.kernel}, {"share", time.seconds / (end - begin)}});
    return shares;
  }

  Row training_row(Exec& exec, Subject& s, const std::string& name, nlohmann::json about) const {
    std::vector<double> steps;
    // So far; the second step may record what later ones launch.
    struct Counts {
      int64_t allocations = 0, launches = 0;
    } first, latest;
    double begin = seconds_now(), last = begin;
    const auto after_step = [&](const StepReport& step) {
      double now = seconds_now();
      if (step.number > 2) steps.push_back(now - last);
      last = now;
      if (step.number == 2) first = {step.allocations, device_launches()};
      latest = {step.allocations, device_launches()};
      return steps.size() < 5 || now - begin < 4 * seconds;
    };
    const TrainResult result =
        train_and_judge(exec, s.backbone, s.data, s.trial, after_step).training;
    if (result.failure != "interrupted") throw Failure(fmt::format("{}: {}", name, result.failure));
    std::sort(steps.begin(), steps.end());
    double tokens = double(batch) * double(s.data.length());
    about["peak_bytes"] = result.peak_bytes;
    const auto count = double(steps.size());
    about["allocations_a_step"] = double(latest.allocations - first.allocations) / count;
    if (exec.backend().memory)
      about["launches_a_step"] = double(latest.launches - first.launches) / count;
    return {"train",
            name,
            {steps.front(), steps[steps.size() / 2]},
            s.backbone.training_flops() * tokens,
            0,
            int64_t(tokens),
            about};
  }

  template <class F>
  void decoding_rows(Exec& exec, const Backbone& backbone, const Dataset& data,
                     const std::string& name, const nlohmann::json& about, const F& report) const {
    Tape tape(exec, false);
    Batch text = data.train_batch(0, 0, 1);
    int64_t L = text.length;
    auto tokens = [&](int64_t from, int64_t count) {
      return exec.from({1, count},
                       std::span<const int32_t>(text.tokens).subspan(size_t(from), size_t(count)));
    };
    DecodingState start;
    if (L > 1) backbone.forward(tape, tokens(0, L - 1), &start);
    DecodingState state = start;
    std::vector<double> last =
        backbone.forward(tape, tokens(L - 1, 1), &state).value().to_doubles();
    Tensor all = backbone.forward(tape, tokens(0, L)).value();
    std::vector<double> expected = all.narrow(0, L - 1, 1).to_doubles();
    double error = 0, scale = 1e-9;
    for (size_t i = 0; i < last.size(); ++i) {
      error = std::max(error, std::abs(last[i] - expected[i]));
      scale = std::max(scale, std::abs(expected[i]));
    }
    if (!(error / scale < 1e-3))
      throw Failure(
          fmt::format("{}: decoding is {:.1e} off the parallel form", name, error / scale));

    double forward = backbone.training_flops() / 3;
    if (wanted("prefill")) {
      Timing prefill = time_of(exec, seconds, [&] {
        DecodingState fresh;
        backbone.forward(tape, tokens(0, L), &fresh);
      });
      report(Row{"prefill", name, prefill, forward * double(L), 0, L, about});
    }
    if (!wanted("decode")) return;
    Tensor one = tokens(L - 1, 1);
    constexpr int kTokens = 32;
    Timing decode = time_of(exec, seconds, [&] {
      DecodingState copy = state;
      for (int i = 0; i < kTokens; ++i) backbone.forward(tape, one, &copy);
    });
    decode = {decode.least / kTokens, decode.median / kTokens};
    double bytes = double(backbone.weight_bytes()) + double(backbone.cache_bytes(L));
    report(Row{"decode", name, decode, forward, bytes, 1, about});
  }
};

}  // namespace

void declare_bench(CLI::App& app) {
  auto c = std::make_shared<Bench>();
  c->model.sizes.width = 128;
  c->model.pool = "extended";
  CLI::App* sub = app.add_subcommand(
      "bench", "Times kernels, training steps, prefill and decoding, as shares of the machine");
  sub->add_option("genome", c->genomes,
                  "Genomes or names; none: every kernel, and four mixers of each class");
  c->common.declare(*sub);
  c->model.declare(*sub);
  add_whole(*sub, "--batch", c->batch, 1, 1 << 16, "Sequences a training step")
      ->capture_default_str();
  auto* math = add_named(*sub, "--math", c->math,
                         "What products read of a number: those of a training step, and the one "
                         "that shares are of")
                   ->capture_default_str();
  c->weights.declare(*sub);
  auto* seconds = add_real(*sub, "--seconds", c->seconds, within(0, 3600),
                           "Least time that a row is repeated; a training, four of it")
                      ->capture_default_str();
  auto* only = add_list(*sub, "--only", c->only, "Of a genome's rows: train, prefill, decode",
                        {"train", "prefill", "decode"})
                   ->expected(1)  // what follows is a genome
                   ->allow_extra_args(false);
  auto* kernels =
      sub->add_flag("--kernels", c->kernels, "The kernels also where genomes are given");
  auto* dump = sub->add_option("--dump", c->dump,
                               "Time nothing, but write the first training step of one genome as "
                               "safetensors: parameters, tokens, targets, loss and gradients");
  auto* search =
      sub->add_flag("--search", c->search,
                    "Training steps at the sizes of a search, of every class and every named "
                    "design, and which kernels take their time; one thread, width 64, 128 tokens")
          ->excludes(kernels);
  for (auto* timing : {seconds, only, kernels, search, math, sub->get_option("--weights")})
    dump->excludes(timing);
  search->excludes(only);
  sub->callback([c, sub] {
    c->config = config_file(*sub);
    if (c->search) c->fill_search(*sub);
    c->run();
  });
}

}  // namespace star::cli
