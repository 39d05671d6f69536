#include "core/config/command.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <cstdio>
#include <iostream>

#include "core/base/build_info.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme {
namespace {

namespace po = boost::program_options;

std::string help_of(const FieldRef& field, bool with_default) {
  std::string text = field.help;
  const std::string allowed = allowed_text(field);
  if (!allowed.empty() && !field.allowed.required) text += "; " + allowed;
  const std::string value = field_text(field);
  if (field.allowed.required && value.empty())
    text += " (required)";
  else if (with_default && !value.empty() && !std::holds_alternative<bool*>(field.value))
    text += " [" + value + "]";
  else if (with_default && value == "true")
    text += " [true]";
  return text;
}

// What stands for the values of a flag.
const char* placeholder(const FieldRef& field) {
  return std::holds_alternative<std::vector<std::string>*>(field.value) && !field.allowed.one_each ? " X..." : " X";
}

// Long descriptions are broken at words, at a width that fits a terminal of 100 columns.
void print_fields(const FieldList& fields, std::ostream& out) {
  constexpr std::size_t kColumn = 34, kWidth = 100;
  for (const FieldRef& field : fields) {
    std::string line = "  --" + field.key;
    if (const auto* const* flag = std::get_if<bool*>(&field.value))
      line += **flag ? "=false" : "";  // what giving it is for: the value that it does not have
    else
      line += field.allowed.bare ? "[=X]" : placeholder(field);
    line += "  ";
    if (line.size() < kColumn) line.resize(kColumn, ' ');
    std::size_t column = line.size();
    std::istringstream words(help_of(field, true));
    const char* before = "";  // no space ends a line
    for (std::string word; words >> word; before = " ") {
      if (column + 1 + word.size() > kWidth && *before) {
        line += "\n" + std::string(kColumn, ' ');
        column = kColumn;
        before = "";
      }
      line += before + word;
      column += 1 + word.size();
    }
    out << line << "\n";
  }
}

std::string usage_line(const Program& program, const Command& command) {
  std::string line = program.name;
  if (!command.name.empty()) line += " " + command.name;
  for (const std::string& key : command.positional) {
    std::string name;
    for (const char c : key) name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const FieldRef& field = find_field(command.options, key, "program");
    if (std::holds_alternative<std::vector<std::string>*>(field.value)) name += "...";
    line += field.allowed.required ? " " + name : " [" + name + "]";
  }
  for (const FieldRef& field : command.options) {
    const bool is_positional =
        std::find(command.positional.begin(), command.positional.end(), field.key) != command.positional.end();
    if (field.allowed.required && field_text(field).empty() && !is_positional)
      line += " --" + field.key + placeholder(field);
  }
  return line + " [options]";
}

void print_usage(const Program& program, const Command& command, std::ostream& out) {
  out << "  " << usage_line(program, command) << "\n      " << command.summary << "\n";
}

void print_help(const Program& program, const Command& command, std::ostream& out) {
  out << "usage: " << usage_line(program, command) << "\n\n" << command.summary << "\n\n";
  if (!command.options.empty()) out << "Options\n", print_fields(command.options, out);
  if (!command.config.empty()) {
    out << "\nConfig keys: flags here, mappings in a YAML file, or TRIREME_GROUP_KEY in the environment\n";
    print_fields(command.config, out);
  }
  if (!command.name.empty()) return;
  if (program.commands.size() > 1) out << "\nOther commands, each with a --help\n";
  for (const Command& other : program.commands)
    if (!other.name.empty()) print_usage(program, other, out);
  if (!program.epilogue.empty()) out << "\n" << program.epilogue << "\n";
}

void print_help(const Program& program, std::ostream& out) {
  out << program.name << ": " << program.summary << "\n\n";
  for (const Command& command : program.commands) print_usage(program, command, out);
  out << "\n  " << program.name << " COMMAND --help, --version\n";
  if (!program.epilogue.empty()) out << "\n" << program.epilogue << "\n";
}

po::options_description describe(const Command& command) {
  po::options_description flags;
  for (const FieldList* list : {&command.options, &command.config}) {
    for (const FieldRef& field : *list) {
      auto* value = po::value<std::vector<std::string>>();
      if (std::holds_alternative<std::vector<std::string>*>(field.value) && !field.allowed.one_each)
        value->multitoken();
      // "--json" alone means true, "--json=false" is still allowed.
      if (std::holds_alternative<bool*>(field.value)) value->implicit_value({"true"}, "true")->zero_tokens();
      flags.add_options()(field.key.c_str(), value);
    }
  }
  return flags;
}

// Booleans, and what else may come alone, take a value only behind "=": "--json run" must not swallow "run".
std::vector<std::string> normalised(const Command& command, std::vector<std::string> words, Assignments& booleans) {
  std::vector<std::string> rest;
  for (std::string& word : words) {
    if (word == "--") {
      rest.insert(rest.end(), std::make_move_iterator(&word), std::make_move_iterator(words.data() + words.size()));
      break;
    }
    bool taken = false;
    for (const FieldList* list : {&command.options, &command.config}) {
      for (const FieldRef& field : *list) {
        const char* const bare = std::holds_alternative<bool*>(field.value) ? "true" : field.allowed.bare;
        if (!bare || !word.starts_with("--" + field.key)) continue;
        const std::string tail = word.substr(2 + field.key.size());
        if (!tail.empty() && tail[0] != '=') continue;
        booleans.push_back({field.key, {tail.empty() ? bare : tail.substr(1)}, "--" + field.key});
        taken = true;
      }
    }
    if (!taken) rest.push_back(std::move(word));
  }
  return rest;
}

Assignments parse_flags(const Command& command, std::vector<std::string> words) {
  Assignments out;
  words = normalised(command, std::move(words), out);
  const po::options_description flags = describe(command);
  po::positional_options_description positions;
  for (const std::string& key : command.positional) {
    const FieldRef& field = find_field(command.options, key, "program");
    positions.add(key.c_str(), std::holds_alternative<std::vector<std::string>*>(field.value) ? -1 : 1);
  }
  std::vector<std::string> known;
  for (const FieldList* list : {&command.options, &command.config})
    for (const FieldRef& field : *list) known.push_back(field.key);
  try {
    // No guessing: "--run-i" for "--run-id" would break the day another flag of that prefix comes.
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing &
                      ~po::command_line_style::allow_short;
    const auto parsed = po::command_line_parser(words).options(flags).positional(positions).style(style).run();
    for (const auto& option : parsed.options)
      out.push_back(
          {option.string_key, option.value,
           option.position_key >= 0 ? "argument '" + join(option.value, " ") + "'" : "--" + option.string_key});
  } catch (const po::unknown_option& error) {
    std::string name = error.get_option_name();
    name.erase(0, name.find_first_not_of('-'));
    throw Error(ErrorCode::kUsage, "unknown flag --", name, did_you_mean(name, known));
  } catch (const po::too_many_positional_options_error&) {
    throw Error(ErrorCode::kUsage, "too many arguments; --help lists what is taken");
  } catch (const po::error& error) {
    throw Error(ErrorCode::kUsage, error.what());
  }
  for (std::size_t i = 0; i < out.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (out[i].key == out[j].key && !command.config.empty() &&
          std::none_of(command.config.begin(), command.config.end(),
                       [&](const FieldRef& field) { return field.key == out[i].key; }))
        throw Error(ErrorCode::kUsage, "--", out[i].key, " is given twice");
  return out;
}

// Lists that come in several pieces (--input a --input b, or several arguments) are one list.
void merge_lists(Assignments& assignments, const FieldList& fields) {
  Assignments merged;
  for (Assignment& assignment : assignments) {
    const FieldRef& field = find_field(fields, assignment.key, assignment.source);
    const auto same = std::find_if(merged.begin(), merged.end(),
                                   [&](const Assignment& other) { return other.key == assignment.key; });
    if (same != merged.end() && std::holds_alternative<std::vector<std::string>*>(field.value))
      same->values.insert(same->values.end(), assignment.values.begin(), assignment.values.end());
    else
      merged.push_back(std::move(assignment));
  }
  assignments = std::move(merged);
}

int run_parsed(const Program& program, const Command& command, const std::vector<std::string>& words) {
  Assignments options, config;
  for (Assignment& assignment : parse_flags(command, words)) {
    const bool is_config = std::any_of(command.config.begin(), command.config.end(),
                                       [&](const FieldRef& field) { return field.key == assignment.key; });
    (is_config ? config : options).push_back(std::move(assignment));
  }
  merge_lists(options, command.options);
  merge_lists(config, command.config);
  const std::string usage = usage_line(program, command);  // knows what is due by what has no value yet
  apply_assignments(options, command.options);
  for (const FieldRef& field : command.options)
    if (field.allowed.required && field_text(field).empty())
      throw Error(ErrorCode::kUsage, "--", field.key, " is required: ", field.help, "; usage: ", usage);
  return command.run(config);
}

}  // namespace

int run_command(const Program& program, int argc, char** argv, bool speaks) {
  std::vector<std::string> words(argv + std::min(1, argc), argv + argc);
  const auto asks = [&](const char* flag) {
    const auto end = std::find(words.begin(), words.end(), "--");
    return std::find(words.begin(), end, flag) != end;
  };
  std::ostream silent(nullptr);
  std::ostream& out = speaks ? std::cout : silent;
  if (asks("--version")) {
    out << program.name << " " << version_text() << "\n" << build_text();
    return kExitDone;
  }
  const Command *found = nullptr, *nameless = nullptr;
  for (const Command& command : program.commands) {  // the longest name wins: "tokenizer train" over "tokenizer"
    std::istringstream names(command.name);
    std::vector<std::string> parts;
    for (std::string part; names >> part;) parts.push_back(part);
    if (parts.empty()) nameless = &command;
    if (!parts.empty() && parts.size() <= words.size() && std::equal(parts.begin(), parts.end(), words.begin())) {
      found = &command;
      words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(parts.size()));
      break;
    }
  }
  // A first word that could be nothing but a command's name is a mistyped one.
  const bool may_be_nameless = program.commands.size() == 1 || words.empty() || words[0].starts_with('-') ||
                               (nameless && !nameless->positional.empty());
  if (!found && may_be_nameless) found = nameless;
  if (asks("--help") || asks("-h")) {
    if (found)
      print_help(program, *found, out);
    else
      print_help(program, out);
    return kExitDone;
  }
  if (!found) {
    std::vector<std::string> names;
    for (const Command& command : program.commands)
      if (!command.name.empty()) names.push_back(command.name);
    if (words.empty()) throw Error(ErrorCode::kUsage, "a command is due: one of ", join(names, ", "), "; see --help");
    throw Error(ErrorCode::kUsage, "unknown command '", words[0], "'", did_you_mean(words[0], names),
                "; known: ", join(names, ", "));
  }
  return run_parsed(program, *found, words);
}

int report_exception(const std::string& program) {
  const auto report = [&](const char* message, int status) {
    std::fprintf(stderr, "%s: error: %s\n", program.c_str(), message);
    return status;
  };
  try {
    throw;
  } catch (const Error& error) {
    return report(error.what(), exit_status(error.code()));
  } catch (const std::bad_alloc&) {
    return report("out of memory", kExitFailed);
  } catch (const std::exception& error) {
    return report(error.what(), kExitFailed);
  }
}

int run_program(const Program& program, int argc, char** argv) {
  try {
    const int status = run_command(program, argc, argv);
    std::cout.flush();
    if (!std::cout) throw Error(ErrorCode::kIo, "cannot write to stdout");
    return status;
  } catch (...) {
    return report_exception(program.name);
  }
}

}  // namespace trireme
