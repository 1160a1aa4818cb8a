// star: searches for neural architectures among linear input-varying operators.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "tools/command.h"
#include "tools/ranks/ranks.h"

namespace star {
namespace {

// What the machine does not have is refused when it is asked for. Otherwise the kernel grants it,
// and kills whoever comes to use it.
void limit_memory() {
  rlim_t bytes = rlim_t(sysconf(_SC_PHYS_PAGES)) * rlim_t(sysconf(_SC_PAGE_SIZE));
  rlimit limit = {};
  if (getrlimit(RLIMIT_DATA, &limit) != 0 || limit.rlim_cur <= bytes) return;
  limit.rlim_cur = bytes;
  setrlimit(RLIMIT_DATA, &limit);
}

using Path = std::vector<std::string>;  // {"genome", "show"}

// The subcommand called, found before the command line is parsed.
Path called(const CLI::App& app, int argc, char** argv) {
  Path path;
  const CLI::App* at = &app;
  for (int i = 1; i < argc; ++i) {
    auto named = [&](const CLI::App* sub) { return sub->get_name() == argv[i]; };
    auto found = at->get_subcommands(named);
    if (found.empty()) continue;
    path.push_back(argv[i]);
    at = found[0];
  }
  return path;
}

// TOML in which options may stand at the top level: they are those of the subcommand called.
class FlatConfig : public CLI::ConfigTOML {
 public:
  explicit FlatConfig(Path subcommand) : subcommand_(std::move(subcommand)) {}
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    auto given = CLI::ConfigTOML::from_config(input);
    for (auto& item : given)
      if (item.parents.empty()) item.parents = subcommand_;
    return given;
  }

 private:
  Path subcommand_;
};

int run(int argc, char** argv) {
  CLI::App app("star: architectures of linear input-varying operators, evolved");
  app.set_version_flag("--version", std::string("star ") + STAR_VERSION);
  app.footer("--config FILE takes any of these options from a TOML file.");
  app.require_subcommand(1);
  app.fallthrough();
  app.set_config("--config", "", "Options from a TOML file, named as on the command line");
  app.allow_config_extras(CLI::config_extras_mode::error);
  // Of an option given twice the last one counts; lists say otherwise for themselves.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  declare_search(app);
  declare_baseline(app);
  declare_final(app);
  declare_transfer(app);
  declare_motifs(app);
  declare_fidelity(app);
  declare_train(app);
  declare_eval(app);
  declare_logits(app);
  declare_generate(app);
  declare_genome(app);
  declare_liv(app);
  declare_bench(app);
  declare_report(app);
  declare_runs(app);
  declare_completion(app);
  app.config_formatter(std::make_shared<FlatConfig>(called(app, argc, argv)));
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::RuntimeError& e) {
    return e.get_exit_code();  // a command that says by its status what it found
  } catch (const CLI::ConfigError& e) {
    fmt::print(stderr, "star: {}: {}\n", app.get_config_ptr()->as<std::string>(), e.what());
    return 2;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    fmt::print(stderr, "star: {}; see star --help\n", e.what());
    return 2;
  }
}

// The exit status of the command line.
int command(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const WriteError& e) {
    fmt::print(stderr, "star: {}\n", e.what());
    return 1;
  } catch (const Error& e) {
    fmt::print(stderr, "star: {}\n", e.what());
    return 2;
  } catch (const Interrupted& e) {
    fmt::print(stderr, "star: {}\n", e.what());
    return 130;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "star: out of memory\n");
    return 1;
  } catch (const std::exception& e) {
    fmt::print(stderr, "star: {}\n", e.what());
    return 1;
  }
}

}  // namespace
}  // namespace star

int main(int argc, char** argv) {
  star::limit_memory();
  signal(SIGXFSZ, SIG_IGN);  // writing fails instead, and is said where it fails
  return star::run_ranks(argc, argv, star::command);
}
