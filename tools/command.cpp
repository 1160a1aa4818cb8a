#include "tools/command.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

#include "core/clock.h"
#include "liv/pool_file.h"
#include "star/device.h"
#include "star/search_settings.h"
#include "star/store.h"
#include "tools/console.h"
#include "tools/options.h"

namespace star::cli {
namespace {

volatile sig_atomic_t g_signal = 0;

void handle_signals(void (*handler)(int)) {
  struct sigaction action = {}, before = {};
  action.sa_handler = handler;
  for (int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&action.sa_mask, number);
  action.sa_flags = SA_RESTART;  // what is being printed is printed whole
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGHUP, nullptr, &before);
  if (before.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);
}

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

// What is given for --pool, as `named_pool` takes it.
std::string pool_given(const std::string& name_or_path) {
  std::error_code none;
  bool run = false;
  if (std::filesystem::is_regular_file(name_or_path, none)) {  // opening a pipe would wait
    std::ifstream file(name_or_path, std::ios::binary);
    std::string head(15, ' ');
    run = file.read(head.data(), 15) && head == "SQLite format 3";
  }
  if (!run) return pool_setting(name_or_path);
  const std::string settings = RunFile::open(name_or_path).settings();
  try {
    return settings_from_json(settings).pool;
  } catch (const Error& e) {
    fail("{}: {}", name_or_path, e.what());
  }
}

}  // namespace

void Common::declare(CLI::App& app) {
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  add_whole(app, "--seed", seed, 0, kMost, "Seed of everything random")->capture_default_str();
  add_whole(app, "--threads", threads, 0, 1024, "Threads; 0: one for each core")
      ->capture_default_str();
  const auto fault = [](const std::string& text) {
    return is_device(text) ? "" : fmt::format("{} is no device such as cpu, cuda or cuda:1", text);
  };
  app.add_option("--device", device, "Where to compute; of several GPUs cuda:1 is the second")
      ->check(CLI::Validator(fault, "{cpu,cuda}"))
      ->capture_default_str();
  app.add_flag("--quiet", quiet, "No progress on standard error");
  app.add_flag("--json", json, "One JSON document on standard output");
}

int Common::cores() const {
  int cores = int(std::thread::hardware_concurrency());
  return threads > 0 ? threads : std::max(1, cores);
}

int Common::trainings(int asked, const std::string& on_device) const {
  if (asked > 0) return asked;
  return is_cuda(on_device) ? kTrainingsOnGpu : cores();
}

std::unique_ptr<Exec> Common::make_exec() const {
  return std::make_unique<Exec>(backend_named(device), cores());
}

void declare_pool(CLI::App& app, std::string& pool, std::string* path) {
  app.add_option("--pool", pool, "LIV classes: paper (17), extended (29), a pool file or a run's")
      ->transform([path](const std::string& given) {
        if (path) *path = given;
        return pool_given(given);
      })
      ->capture_default_str();
}

void ModelOptions::declare(CLI::App& app) {
  for_each_size([&](const Setting& row, const auto& field) {
    if (&field(sizes) == &sizes.seq)
      return declare_length(app, length, "128 for text, the task's otherwise");
    add_setting(app, row, field(sizes));
  });
  declare_pool(app, pool, &pool_path);
}

void ModelOptions::declare_depth(CLI::App& app) {
  add_whole(app, "--depth", depth, 1, 1000, "LIVs of a genome that is given by name");
}

std::string ModelOptions::at_depth(const std::string& text) const {
  if (depth == 0) return text;
  const std::string named = star::synthesis::at_depth(text, depth);
  require(named != text, "--depth: only a name that says none, such as @hybrid, takes one");
  return named;
}

Sizes ModelOptions::for_data(const Dataset& data) const {
  Sizes s = sizes;
  s.vocab = data.vocab();
  s.seq = data.length();
  s.decoder = data.needs_decoder();
  check_sizes(s);
  return s;
}

Genome ModelOptions::genome(const std::string& text, Pool& in_force) const {
  in_force = named_pool(pool);
  // Of a name too, since a pool may lack its classes.
  return parse(to_text(resolve(at_depth(text), in_force)), in_force);
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
  for_each_training_setting(
      [&](const Setting& row, const auto& field) { add_setting(app, row, field(o)); });
}

void check_training(const CLI::App& app, const TrainOptions& o) {
  require(app.count("--decay") == 0 || o.schedule->has_decay,
          "--decay: the schedule {} has none; --schedule wsd does", o.schedule.name());
}

void end_on_signals() {
  handle_signals([](int) {
    say_text("star: interrupted\n");  // by write(2) alone
    _exit(130);
  });
}

bool interrupted() {
  static const bool installed = [] {
    handle_signals([](int number) {
      // Asked twice: at once. A terminal that closes may say so more than once.
      if (g_signal && number != SIGHUP) _exit(130);
      g_signal = 1;
    });
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
    say("{}\n", line);
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
  say("\r\033[K[{}{}] {}", bar, rest, line);
  drawn_ = true;
}

void Progress::finish() {
  if (drawn_) say("\n");
  drawn_ = false;
}

void print_json(const nlohmann::json& document) {
  fmt::print("{}\n", document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace star::cli
