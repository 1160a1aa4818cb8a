// star completion: scripts that make a shell complete the command line. They are written from the
// options themselves, so that they cannot lag behind.
#include <algorithm>

#include "liv/pool.h"
#include "tools/command.h"

namespace star::cli {
namespace {

// What a value may be: one of the choices, the name of a file, or both; neither for a number.
struct Value {
  std::vector<std::string> choices;
  bool file = false;
};

struct OptionWords {
  std::vector<std::string> names;  // with their dashes
  std::string what;
  bool takes_value;
  Value value;
};

struct CommandWords {
  std::string name;  // "genome show"; empty for the program itself
  std::string what;
  std::vector<OptionWords> options;
  std::vector<Value> positionals;      // in order; the last one may be repeated
  std::vector<CommandWords> commands;  // below it
};

// CLI11 says what IsMember allows in the type: "TEXT:{cpu,cuda}".
std::vector<std::string> choices_of(const std::string& type) {
  std::vector<std::string> choices;
  const size_t open = type.find('{'), close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return choices;
  return CLI::detail::split(type.substr(open + 1, close - open - 1), ',');
}

Value value_of(const CLI::Option& option) {
  const std::string type = option.get_type_name(), name = option.get_name(true);
  Value value{choices_of(type)};
  value.file = value.choices.empty() && type.rfind("TEXT", 0) == 0;
  if (!option.get_positional()) return value;
  if (name == "genome") value.choices = genome_names();
  if (name == "class")
    for (const LivClass& c : extended_pool().classes) value.choices.push_back(c.name);
  return value;
}

CommandWords words_of(const CLI::App& app, const std::string& name) {
  CommandWords command;
  command.name = name;
  command.what = app.get_description();
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) {
      command.positionals.push_back(value_of(*option));
      continue;
    }
    OptionWords words{{}, option->get_description(), option->get_items_expected_max() > 0, {}};
    for (auto& n : option->get_snames()) words.names.push_back("-" + n);
    for (auto& n : option->get_lnames()) words.names.push_back("--" + n);
    if (words.takes_value) words.value = value_of(*option);
    command.options.push_back(std::move(words));
  }
  const CLI::App* root = &app;
  while (root->get_parent()) root = root->get_parent();
  if (root != &app)  // stands anywhere
    command.options.push_back(
        {{"--config"}, root->get_config_ptr()->get_description(), true, {{}, true}});
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    command.commands.push_back(
        words_of(*sub, name.empty() ? sub->get_name() : name + " " + sub->get_name()));
  return command;
}

std::string last_word(const std::string& name) { return name.substr(name.rfind(' ') + 1); }

// All commands, each before those below it.
template <class F>
void for_each_command(const CommandWords& command, const F& f) {
  f(command);
  for (auto& sub : command.commands) for_each_command(sub, f);
}

std::vector<std::string> own_words(const CommandWords& command) {
  std::vector<std::string> words;
  for (auto& sub : command.commands) words.push_back(last_word(sub.name));
  for (auto& value : command.positionals)
    words.insert(words.end(), value.choices.begin(), value.choices.end());
  return words;
}

bool takes_files(const CommandWords& command) {
  return std::any_of(command.positionals.begin(), command.positionals.end(),
                     [](auto& value) { return value.file; });
}

// ---- bash: a table of cases, by the command and the option before the word.

std::string bash_case(const std::string& pattern, const std::vector<std::string>& words,
                      bool files) {
  return fmt::format("    {}) words='{}'{} ;;\n", pattern, fmt::join(words, " "),
                     files ? " files=yes" : "");
}

std::string bash_script(const CommandWords& star) {
  std::string names, values, words;
  for_each_command(star, [&](const CommandWords& c) {
    if (!c.name.empty()) names += fmt::format("{}'{}'", names.empty() ? "" : "|", c.name);
    std::vector<std::string> options;
    for (auto& option : c.options) {
      options.insert(options.end(), option.names.begin(), option.names.end());
      if (!option.takes_value) continue;
      std::string pattern;
      for (auto& n : option.names)
        pattern += fmt::format("{}'{} {}'", pattern.empty() ? "" : "|", c.name, n);
      values += bash_case(pattern, option.value.choices, option.value.file);
    }
    words += bash_case(fmt::format("'{} -'", c.name), options, false);
    words += bash_case(fmt::format("'{} '", c.name), own_words(c), takes_files(c));
  });
  // Bash takes = and @ for ends of words: what stands before them is the word before.
  return fmt::format(R"(# Completion of star for bash, made by `star completion bash`.
_star() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}
  local command= kind= at= words= files= i
  case "$word $before" in
    "= "*) word= ;;
    *" =") before=${{COMP_WORDS[COMP_CWORD-2]}} ;;
    "@ "*) at=@ ;;
    *" @") at=@ word=@$word before= ;;
    -*) kind=- ;;
  esac
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case "${{command:+$command }}${{COMP_WORDS[i]}}" in
      {}) command+="${{command:+ }}${{COMP_WORDS[i]}}" ;;
    esac
  done
  case "$command $before" in
{}    *) case "$command $kind" in
{}    esac ;;
  esac
  [[ $files ]] && compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(
    compgen -W "$words" -- "$word"
    [[ $files ]] && compgen -f -- "$word")
  [[ $at ]] && COMPREPLY=("${{COMPREPLY[@]#@}}")
}}
complete -F _star star
)",
                     names, values, words);
}

// ---- zsh: a function of _arguments for each command.

// In single quotes, and within the brackets or colons of a specification.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '\'')
      out += "'\\''";
    else
      out += (c == '[' || c == ']' || c == ':' || c == '\\') ? std::string("\\") + c
                                                             : std::string(1, c);
  }
  return out;
}

std::string zsh_action(const Value& value) {
  if (value.choices.empty()) return value.file ? "_files" : " ";
  const std::string choices = fmt::format("({})", fmt::join(value.choices, " "));
  if (!value.file) return choices;
  return fmt::format("{{_alternative \"values:value:{}\" \"files:file:_files\"}}", choices);
}

std::string zsh_function(const std::string& name) {
  std::string function = "_star";
  for (char c : name) function += c == ' ' ? '_' : c;
  return name.empty() ? function : "_star_" + function.substr(5);
}

std::string zsh_script(const CommandWords& star) {
  std::string script =
      "#compdef star\n# Completion of star for zsh, made by `star completion zsh`.\n";
  for_each_command(star, [&](const CommandWords& c) {
    script += fmt::format("{}() {{\n  local state\n  _arguments -C", zsh_function(c.name));
    for (auto& option : c.options)
      for (auto& n : option.names)
        script += fmt::format(" \\\n    '*{}{}[{}]{}'", n, option.takes_value ? "=" : "",
                              zsh_text(option.what),
                              option.takes_value ? ":value:" + zsh_action(option.value) : "");
    for (size_t i = 0; i < c.positionals.size(); ++i)
      script += fmt::format(" \\\n    '{}:argument:{}'",
                            i + 1 < c.positionals.size() ? fmt::to_string(i + 1) : "*",
                            zsh_action(c.positionals[i]));
    if (c.commands.empty()) {
      script += "\n}\n";
      return;
    }
    script += " \\\n    '1:command:((";
    for (auto& sub : c.commands)
      script += fmt::format("{}\\:\"{}\" ", last_word(sub.name), zsh_text(sub.what));
    script += "))' \\\n    '*::argument:->below'\n  [[ $state == below ]] && case $words[1] in\n";
    for (auto& sub : c.commands)
      script += fmt::format("    {}) {} ;;\n", last_word(sub.name), zsh_function(sub.name));
    script += "  esac\n}\n";
  });
  return script +
         "if [[ $funcstack[1] == _star ]]; then _star \"$@\"; else compdef _star star; fi\n";
}

// ---- fish: a line for each word.

std::string fish_text(const std::string& text) {
  std::string out;
  for (char c : text) out += (c == '\'' || c == '\\') ? std::string("\\") + c : std::string(1, c);
  return "'" + out + "'";
}

// What must have been typed before: the names of the command, and none below it.
std::string fish_condition(const CommandWords& command) {
  std::string condition;
  for (auto& word : CLI::detail::split(command.name, ' '))
    if (!word.empty())
      condition +=
          fmt::format("{}__fish_seen_subcommand_from {}", condition.empty() ? "" : "; and ", word);
  return condition;
}

std::string fish_script(const CommandWords& star) {
  std::string script =
      "# Completion of star for fish, made by `star completion fish`.\ncomplete -c star -f\n";
  for_each_command(star, [&](const CommandWords& c) {
    std::string condition = fish_condition(c), below;
    for (auto& sub : c.commands) below += " " + last_word(sub.name);
    if (!below.empty())
      condition += fmt::format("{}not __fish_seen_subcommand_from{}",
                               condition.empty() ? "" : "; and ", below);
    const std::string head = fmt::format("complete -c star -n '{}'", condition);
    for (auto& sub : c.commands)
      script += fmt::format("{} -a {} -d {}\n", head, last_word(sub.name), fish_text(sub.what));
    for (auto& value : c.positionals) {
      if (!value.choices.empty())
        script += fmt::format("{} -a '{}'\n", head, fmt::join(value.choices, " "));
      if (value.file) script += head + " -F\n";
    }
    for (auto& option : c.options) {
      script += head;
      for (auto& n : option.names)
        script += n.rfind("--", 0) == 0 ? " -l " + n.substr(2) : " -s " + n.substr(1);
      if (option.takes_value) script += option.value.file ? " -r -F" : " -x";
      if (!option.value.choices.empty())
        script += fmt::format(" -a '{}'", fmt::join(option.value.choices, " "));
      script += fmt::format(" -d {}\n", fish_text(option.what));
    }
  });
  return script;
}

const std::map<std::string, std::string (*)(const CommandWords&)> kShells = {
    {"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};

struct CompletionCommand {
  Common common;
  std::string shell;

  void run(const CLI::App& app) const {
    const CommandWords star = words_of(app, "");
    const std::string script = kShells.at(shell)(star);
    if (common.json)
      print_json({{"shell", shell}, {"script", script}});
    else
      fmt::print("{}", script);
  }
};

}  // namespace

void declare_completion(CLI::App& app) {
  auto c = std::make_shared<CompletionCommand>();
  CLI::App* sub = app.add_subcommand("completion", "Prints a script that completes commands");
  sub->add_option("shell", c->shell, "The shell")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  c->common.declare(*sub);
  sub->callback([c, root = &app] { c->run(*root); });
}

}  // namespace star::cli
