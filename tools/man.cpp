// star man: the manual page, written from the options themselves, so that it cannot lag behind.
#include "tools/command.h"

namespace star::cli {
namespace {

// Text as roff shows it: no escapes, no requests, and a dash that can be searched for.
std::string roff(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  }
  return out.starts_with('.') || out.starts_with('\'') ? "\\&" + out : out;
}

std::string heading(const CLI::App& command, const std::string& name) {
  std::string line = "star " + name;
  for (const CLI::Option* o : command.get_options())
    if (o->get_positional())
      line += o->get_required() ? " " + o->get_name(true) : fmt::format(" [{}]", o->get_name(true));
  return roff(line);
}

std::string entry(const CLI::Option& option) {
  std::string what = option.get_description();
  const std::string usual = option.get_default_str();
  if (!usual.empty()) what += fmt::format(" [{}]", usual);
  const std::string type = option.get_items_expected_max() > 0 ? " " + option.get_type_name() : "";
  return fmt::format(".TP\n.B {}\\fR{}\n{}\n", roff(option.get_name(option.get_positional(), true)),
                     roff(type), roff(what));
}

// A command and those below it; one that has some is only the way to them.
std::string section(const CLI::App& command, const std::string& name) {
  std::string text;
  for (const CLI::App* sub : command.get_subcommands([](const CLI::App*) { return true; }))
    text += section(*sub, name.empty() ? sub->get_name() : name + " " + sub->get_name());
  if (!text.empty()) return text;
  text = fmt::format(".SS {}\n{}.\n", heading(command, name), roff(command.get_description()));
  for (const CLI::Option* option : command.get_options()) text += entry(*option);
  return text;
}

std::string page(const CLI::App& star) {
  return fmt::format(R"(.TH STAR 1 "" "star {}" "User Commands"
.SH NAME
star \- searches for neural architectures
.SH SYNOPSIS
.B star
.I command
.RI [ option " ...]"
.SH DESCRIPTION
Attention, linear attention, gated convolutions, recurrences, state\-space layers and gated linear
units are linear input\-varying systems, y = T(x) x. An architecture made of them is a genome, which
.B star search
evolves: candidates are trained a little and judged by quality, size, cache and latency. All commands
print for people, or one JSON document with
.BR \-\-json .
.SH COMMANDS
{}.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
The work failed.
.TP
.B 2
Wrong usage or bad input; one line on standard error says what and where.
.TP
.B 130
Interrupted; a line says how to go on.
.SH EXAMPLES
.nf
star search \-\-out first.run
star train first.run \-\-steps 2000 \-\-out best.safetensors
star generate best.safetensors \-\-prompt '// The '
.fi
)",
                     STAR_VERSION, section(star, ""));
}

struct ManCommand {
  Common common;

  void run(const CLI::App& app) const {
    if (common.json)
      print_json({{"page", page(app)}});
    else
      fmt::print("{}", page(app));
  }
};

}  // namespace

void declare_man(CLI::App& app) {
  auto c = std::make_shared<ManCommand>();
  CLI::App* sub = app.add_subcommand("man", "Prints the manual page: star man | man -l -");
  c->common.declare(*sub);
  sub->callback([c, root = &app] { c->run(*root); });
}

}  // namespace star::cli
