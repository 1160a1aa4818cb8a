// star: searches for neural architectures among linear input-varying operators.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

#include "tools/command.h"
#include "tools/command_line.h"
#include "tools/config.h"
#include "tools/console.h"
#include "tools/options.h"
#include "tools/ranks/ranks.h"

namespace star::cli {
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

int run(int argc, char** argv) {
  CLI::App app("star: architectures of linear input-varying operators, evolved");
  app.set_version_flag("--version", std::string("star ") + STAR_VERSION);
  app.footer(
      "--config FILE takes any of these options from a TOML file, where every value may be written "
      "as a string.");
  app.require_subcommand(1);
  app.fallthrough();
  // Of an option given twice the last one counts; lists say otherwise for themselves.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.set_config("--config", "", "Options from a TOML file, named as on the command line")
      ->check(CLI::Validator(check_regular, ""))
      ->type_name("TEXT");
#define STAR_COMMAND(name) declare_##name(app);
#define STAR_COMMAND_OF(above, name) declare_##above##_##name(*app.get_subcommand(#above));
#include "tools/commands.def"
#undef STAR_COMMAND
#undef STAR_COMMAND_OF
  app.config_formatter(std::make_shared<TomlConfig>(app));
  complete_options(app);
  check_words(app, argc, argv);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::RuntimeError& e) {
    return e.get_exit_code();  // a command that says by its status what it found
  } catch (const CLI::FileError&) {
    fail("{}", unreadable(app.get_config_ptr()->as<std::string>()));
  } catch (const CLI::CallForVersion& e) {
    fmt::print("{}\n", e.what());
    return 0;
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return 0;
  } catch (const CLI::ParseError& e) {
    fail("{}; see star --help", e.what());
  }
}

// The exit status of a command line, after the line of an error.
int outcome(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const WriteError& e) {
    say_error(e.what());
    return 1;
  } catch (const Error& e) {
    say_error(e.what());
    return 2;
  } catch (const Interrupted& e) {
    say_error(e.what());
    return 130;
  } catch (const std::bad_alloc&) {
    say_error("out of memory");
    return 1;
  } catch (const std::exception& e) {
    if (!std::ferror(stdout)) say_error(e.what());
    return 1;
  }
}

int command(int argc, char** argv) {
  end_on_signals();
  return finish_output(outcome(argc, argv));
}

}  // namespace
}  // namespace star::cli

int main(int argc, char** argv) {
  star::cli::hold_standard_streams();
  star::cli::limit_memory();
  signal(SIGXFSZ, SIG_IGN);  // writing fails instead, and is said where it fails
  return star::cli::run_ranks(argc, argv, star::cli::command);
}
