#include "tools/command.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "core/clock.h"
#include "liv/pool_file.h"
#include "star/device.h"
#include "star/search_settings.h"
#include "star/store.h"

namespace star {
namespace {

volatile sig_atomic_t g_signal = 0;

std::string clock_text(double seconds) {
  int64_t s = int64_t(seconds + 0.5);
  return s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
                   : fmt::format("{}:{:02}", s / 60, s % 60);
}

bool is_terminal() {
  const char* kind = std::getenv("TERM");
  return isatty(STDERR_FILENO) && kind && std::string_view(kind) != "dumb";
}

size_t terminal_columns() {
  winsize size = {};
  bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

template <class T>
bool read_number(const std::string& text, T& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

template <class Test>
CLI::Validator number_that(const std::string& what, const std::string& shown, Test test) {
  return CLI::Validator(
      [=](std::string& text) {
        double x = 0;
        bool good = read_number(text, x) && std::isfinite(x) && test(x);
        return good ? std::string() : fmt::format("{} is not a number {}", text, what);
      },
      shown);
}

CLI::Validator whole_number() {
  return CLI::Validator(
      [](std::string& text) {
        uint64_t x = 0;
        return read_number(text, x) ? std::string()
                                    : fmt::format("{} is not a whole number below 2^64", text);
      },
      "");
}

// What is given for --pool, as `named_pool` takes it.
std::string pool_given(const std::string& name_or_path) {
  std::ifstream file(name_or_path, std::ios::binary);
  std::string head(15, ' ');
  bool run = file.read(head.data(), 15) && head == "SQLite format 3";
  return run ? settings_from_json(RunFile::open(name_or_path).settings()).pool
             : pool_setting(name_or_path);
}

}  // namespace

CLI::Validator number_within(double least, double most) {
  return number_that(fmt::format("from {} to {}", least, most),
                     fmt::format("in [{} - {}]", least, most),
                     [=](double x) { return x >= least && x <= most; });
}

CLI::Validator number_from_zero() {
  return number_that("of at least 0", "NONNEGATIVE", [](double x) { return x >= 0; });
}

CLI::Validator number_above_zero() {
  return number_that("above 0", "POSITIVE", [](double x) { return x > 0; });
}

void Common::declare(CLI::App& app) {
  app.add_option("--seed", seed, "Seed of everything random")
      ->check(whole_number())
      ->capture_default_str();
  app.add_option("--threads", threads, "Threads; 0: one for each core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option("--device", device, "Where to compute")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  app.add_flag("--quiet", quiet, "No progress on standard error");
  app.add_flag("--json", json, "One JSON document on standard output");
}

int Common::cores() const {
  int cores = int(std::thread::hardware_concurrency());
  return threads > 0 ? threads : std::max(1, cores);
}

std::unique_ptr<Exec> Common::make_exec() const {
  return std::make_unique<Exec>(backend_named(device), cores());
}

void declare_pool(CLI::App& app, std::string& pool) {
  app.add_option("--pool", pool, "LIV classes: paper (17), extended (25), a pool file or a run's")
      ->transform(pool_given)
      ->capture_default_str();
}

void ModelOptions::declare(CLI::App& app) {
  auto positive = CLI::Range(int64_t(1), int64_t(1) << 20);
  app.add_option("--width", sizes.width, "Width d of the model")
      ->check(positive)
      ->capture_default_str();
  app.add_option("--heads", sizes.heads, "Heads H; they divide the width")
      ->check(positive)
      ->capture_default_str();
  declare_length(app, length, "128 for text, the task's otherwise");
  app.add_option("--window", sizes.window, "Positions that banded operators see")
      ->check(positive)
      ->capture_default_str();
  declare_pool(app, pool);
}

Sizes ModelOptions::for_data(const Dataset& data) const {
  Sizes s = sizes;
  s.vocab = data.vocab();
  s.seq = data.length();
  check_sizes(s);
  return s;
}

Genome ModelOptions::genome(const std::string& text, Pool& in_force) const {
  // Named genomes are of the extended pool.
  in_force = named_pool(text.rfind('@', 0) == 0 ? "extended" : pool);
  return resolve(text, in_force);
}

LivClass class_named(const std::string& text) {
  const Pool pool = extended_pool();
  for (const LivClass& c : pool.classes)
    if (text == std::string(1, c.id) || text == c.name) return c;
  bool genome = text.size() >= 5 && text.find_first_not_of(
                                        "0123456789abcdefghijklmnopqrstuvwxyz-|"
                                        ":%,") == text.npos;
  require(genome, "liv: `{}` is no id or name of `star liv list`, and no genome of one LIV", text);
  Genome g = resolve(text, pool);
  require(g.segments.size() == 1, "liv: `{}` has {} LIVs; one is wanted", text, g.segments.size());
  return *effective_pool(g, pool).find(g.segments[0].liv);
}

void declare_training(CLI::App& app, TrainOptions& o) {
  app.add_option("--batch", o.batch, "Sequences a step")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--steps", o.steps, "Training steps")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 40))
      ->capture_default_str();
  app.add_option("--lr", o.learning_rate, "Peak learning rate")
      ->check(number_above_zero())
      ->capture_default_str();
  app.add_option("--warmup", o.warmup, "Share of the steps in which the rate rises")
      ->check(number_within(0, 1))
      ->capture_default_str();
  app.add_option("--weight-decay", o.optimizer.weight_decay, "Of linear maps and the embedding")
      ->check(number_from_zero())
      ->capture_default_str();
  app.add_option("--beta1", o.optimizer.beta1, "Of AdamW: decay of the gradient's mean")
      ->check(number_within(0, 1))
      ->capture_default_str();
  app.add_option("--beta2", o.optimizer.beta2, "Of AdamW: decay of its square's mean")
      ->check(number_within(0, 1))
      ->capture_default_str();
  app.add_option("--epsilon", o.optimizer.epsilon, "Of AdamW: added to the root of that mean")
      ->check(number_above_zero())
      ->capture_default_str();
  app.add_option("--clip", o.optimizer.clip, "Largest norm of the gradient; 0: no limit")
      ->check(number_from_zero())
      ->capture_default_str();
}

bool interrupted() {
  static const bool installed = [] {
    struct sigaction action = {};
    action.sa_handler = [](int) {
      if (g_signal) _exit(130);  // asked twice: at once
      g_signal = 1;
    };
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    return true;
  }();
  return installed && g_signal;
}

Progress::Progress(bool quiet, std::string what, int64_t total)
    : quiet_(quiet), terminal_(is_terminal()), what_(std::move(what)), total_(total) {}

Progress::~Progress() { finish(); }

void Progress::update(int64_t done, const std::string& note) {
  double t = seconds_now();
  if (before_ < 0) {
    before_ = done;
    start_ = t;
  }
  bool last = done == total_;
  if (quiet_ || (!last && t - last_ < (terminal_ ? 0.1 : 10))) return;
  last_ = t;
  double rate = double(done - before_) / std::max(t - start_, 1e-9);
  std::string left = rate > 0 ? clock_text(double(total_ - done) / rate) : "-";
  std::string line = fmt::format("{} {}/{}  {}  {:.{}f}/s  {} left", what_, done, total_, note,
                                 rate, rate < 1 ? 2 : 1, left);
  if (!terminal_) {
    fmt::print(stderr, "{}\n", line);
    return;
  }
  constexpr int kWidth = 20;
  int full = total_ ? int(double(done) / double(total_) * kWidth) : kWidth;
  std::string bar(size_t(full), '#'), rest(size_t(kWidth - full), '.');
  if (const char* no_color = std::getenv("NO_COLOR"); !no_color || !*no_color)
    bar = fmt::format("\033[32m{}\033[0m", bar);
  // A line that wraps could not be drawn over.
  size_t columns = terminal_columns(), used = kWidth + 3;
  line.resize(std::min(line.size(), columns > used ? columns - used - 1 : 0));
  fmt::print(stderr, "\r\033[K[{}{}] {}", bar, rest, line);
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::finish() {
  if (drawn_) fmt::print(stderr, "\n");
  drawn_ = false;
}

void print_json(const nlohmann::json& document) {
  fmt::print("{}\n", document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace star
