#include "tune/sweep/sweep.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "tune/search/bayes.h"
#include "tune/search/registry.h"
#include "tune/sweep/command.h"
#include "tune/sweep/dimensions.h"
#include "tune/sweep/yaml_node.h"

namespace trireme::tune {
namespace {

constexpr std::uint64_t kMostBytes = 1 << 20;
constexpr std::int64_t kMostTrials = 1'000'000'000;
constexpr std::int64_t kMostJobs = 1024;
constexpr std::int64_t kMostRetries = 100;
constexpr std::int64_t kMostRanks = 65536;
constexpr std::int64_t kMostThreads = 1024;
constexpr std::size_t kMostConstraints = 100;

const std::vector<std::string>& known_keys() {
  static const std::vector<std::string> kKeys{"name",       "description",   "method",  "acquisition", "metric",
                                              "parameters", "constraints",   "run_cap", "n_trials",    "n_jobs",
                                              "timeout",    "trial_timeout", "retries", "seed",        "enqueue",
                                              "command",    "program",       "base",    "ranks",       "threads"};
  return kKeys;
}

/// Keys of wandb and words of Optuna that people bring along.
struct Foreign {
  std::string_view key, message;
};
constexpr std::string_view kServerOnly = " is for wandb's server and says nothing here: take it out";
constexpr std::string_view kNoStopping = " is not supported: trials run to their end";
constexpr std::string_view kGoal = " is said by metric: {name: ..., goal: minimize or maximize}";
constexpr std::array kForeign{Foreign{"early_terminate", kNoStopping},
                              Foreign{"pruner", kNoStopping},
                              Foreign{"project", kServerOnly},
                              Foreign{"entity", kServerOnly},
                              Foreign{"controller", kServerOnly},
                              Foreign{"job", kServerOnly},
                              Foreign{"imageuri", kServerOnly},
                              Foreign{"direction", kGoal},
                              Foreign{"directions", kGoal},
                              Foreign{"sampler", " is called method here"}};

/// What `action` throws, with the place it is about.
template <class Action>
auto at_place(const YamlNode& node, Action&& action) {
  try {
    return action();
  } catch (const Error& error) {
    throw Error(ErrorCode::kUsage, node.path(), ": ", error.what(), " (", node.where(), ")");
  }
}

void expect_known_keys(const YamlMap& top) {
  for (const auto& [key, value] : top.entries)
    for (const Foreign& foreign : kForeign)
      if (key == foreign.key) value.fail(foreign.message);
  top.expect_only(known_keys());
}

Objective read_objective(const YamlNode& node) {
  Objective objective;
  if (node.is_map()) {
    const YamlMap map = node.map();
    map.expect_only({"name", "goal"});
    const auto name = map.find("name"), goal = map.find("goal");
    if (!name) node.fail(" has no name: which member of a trial's last metric record it is");
    objective = {name->text(), goal && goal->one_of({"minimize", "maximize"}) == "maximize"};
  } else if (node.is_scalar()) {
    objective = {node.text()};
  } else {
    node.fail(" must be a name or a mapping of name and goal, got ", node.seen());
  }
  if (objective.name.empty()) node.fail(" must have a name, got an empty text");
  return objective;
}

std::vector<Objective> read_objectives(const YamlMap& top) {
  const auto metric = top.find("metric");
  if (!metric) top.node.fail("metric is missing: which member of a trial's last metric record it is judged by");
  std::vector<YamlNode> items{*metric};
  if (metric->is_list()) items = metric->items();
  if (items.empty()) metric->fail(" must name one or more, got an empty list");
  std::vector<Objective> objectives;
  for (const YamlNode& item : items) {
    const Objective objective = read_objective(item);
    for (const Objective& other : objectives)
      if (other.name == objective.name) item.fail(" names ", one_line(objective.name, 60), " twice");
    objectives.push_back(objective);
  }
  return objectives;
}

std::vector<std::string> names_of(const std::vector<Dimension>& dimensions) {
  std::vector<std::string> names;
  for (const Dimension& dimension : dimensions) names.push_back(dimension.name);
  return names;
}

std::vector<Constraint> read_constraints(const YamlMap& top, const std::vector<std::string>& names) {
  std::vector<Constraint> constraints;
  const auto list = top.find("constraints");
  if (!list) return constraints;
  for (const YamlNode& item : list->items()) {
    const std::string text = item.text();
    constraints.push_back(at_place(item, [&] { return Constraint::parse(text); }));
    for (const std::string& name : constraints.back().names())
      if (std::find(names.begin(), names.end(), name) == names.end())
        item.fail(": \"", one_line(text, 60), "\" names ", name, ", which is no parameter", did_you_mean(name, names));
    if (constraints.size() > kMostConstraints) item.fail(" must be ", kMostConstraints, " or fewer");
  }
  return constraints;
}

Space read_space(const YamlMap& top) {
  const auto parameters = top.find("parameters");
  if (!parameters) top.node.fail("parameters is missing: what is searched over");
  std::vector<Dimension> dimensions = read_dimensions(*parameters);
  std::vector<Constraint> constraints = read_constraints(top, names_of(dimensions));
  return Space(std::move(dimensions), std::move(constraints));
}

void read_point(const YamlMap& map, const std::string& prefix, int depth, Parameters& parameters) {
  if (depth > kMostGroupDepth) map.node.fail(": groups are nested too deep, more than ", kMostGroupDepth, " levels");
  for (const auto& [key, node] : map.entries) {
    if (node.is_map())
      read_point(node.map(), prefix + key + ".", depth + 1, parameters);
    else
      parameters.push_back({prefix + key, node.value()});
  }
}

// As a trial has it: 1 given for a real number is 1.0, for a choice the choice itself. Not what the position stands
// for, which differs in the last digits.
Value typed(const Dimension& dimension, const Value& value) {
  if (dimension.kind == Dimension::Kind::kChoice)
    return *std::find_if(dimension.choices.begin(), dimension.choices.end(),
                         [&](const Value& choice) { return same_value(choice, value); });
  const double number = *value_number(value);
  if (dimension.kind == Dimension::Kind::kInteger) return static_cast<std::int64_t>(std::llround(number));
  return number;
}

// @param given  what the file has; constants may be missing
Parameters enqueued_point(const Space& space, const Parameters& given) {
  Parameters all = space.parameters(space.point(given));
  for (Parameter& parameter : all)
    for (const Parameter& one : given)
      if (one.name == parameter.name) parameter.value = typed(space[*space.find(one.name)], one.value);
  return all;
}

std::vector<Parameters> read_enqueue(const YamlMap& top, const Space& space) {
  std::vector<Parameters> points;
  const auto list = top.find("enqueue");
  if (!list) return points;
  for (const YamlNode& item : list->items()) {
    Parameters given;
    read_point(item.map(), "", 0, given);
    points.push_back(at_place(item, [&] { return enqueued_point(space, given); }));
  }
  return points;
}

// What only a runner of trials heeds.
void expect_something_to_run(const YamlMap& top) {
  for (const char* key : {"command", "program", "base"})
    if (top.find(key)) return;
  for (const char* key : {"n_jobs", "timeout", "trial_timeout", "retries"})
    if (const auto node = top.find(key))
      node->fail(" is for trials that trireme-tune runs: it goes with command, program or base");
}

void read_limits(const YamlMap& top, Sweep& sweep) {
  const auto integer = [&](const char* key, std::int64_t& value, std::int64_t min, std::int64_t max) {
    if (const auto node = top.find(key)) value = node->integer(min, max);
  };
  integer("run_cap", sweep.trials, 1, kMostTrials);
  const std::int64_t run_cap = sweep.trials;
  integer("n_trials", sweep.trials, 1, kMostTrials);
  if (run_cap != 0 && run_cap != sweep.trials)
    top.find("n_trials")->fail(" and run_cap say the same thing, but differ: ", sweep.trials, " and ", run_cap);
  integer("n_jobs", sweep.jobs, 1, kMostJobs);
  integer("retries", sweep.retries, 0, kMostRetries);
  auto seed = static_cast<std::int64_t>(sweep.seed);
  integer("seed", seed, 0, std::numeric_limits<std::int64_t>::max());
  sweep.seed = static_cast<std::uint64_t>(seed);
  if (const auto timeout = top.find("timeout")) sweep.timeout_seconds = timeout->seconds();
  if (const auto timeout = top.find("trial_timeout")) sweep.trial_timeout_seconds = timeout->seconds();
}

// Relative to the sweep file, so that a sweep does not depend on where it is started.
std::string beside(const std::string& origin, const std::string& path) {
  return (fs::path(origin).parent_path() / path).lexically_normal().string();
}

void read_base(const YamlMap& top, const std::string& origin, Sweep& sweep) {
  const auto base = top.find("base");
  for (const char* key : {"ranks", "threads"})
    if (const auto node = top.find(key); node && !base)
      node->fail(" is for training jobs: it goes with base, the training config of the trials");
  if (!base) return;
  for (const char* key : {"command", "program"})
    if (const auto node = top.find(key)) node->fail(" and base both say what a trial runs: give one of them");
  if (base->text().empty()) base->fail(" must be the path of a training config, got an empty text");
  sweep.base = beside(origin, base->text());
  if (const auto ranks = top.find("ranks")) sweep.ranks = ranks->integer(1, kMostRanks);
  if (const auto threads = top.find("threads")) sweep.threads = threads->integer(1, kMostThreads);
}

std::string read_word(const YamlNode& node, const CommandRules& rules) {
  const std::string text = node.text();
  return at_place(node, [&] { return checked_command(text, rules); });
}

void expect_program_used(const YamlNode& program, const YamlNode& command) {
  std::vector<YamlNode> words{command};
  if (command.is_list()) words = command.items();
  for (const YamlNode& word : words)
    if (word.text().find("${program}") != std::string::npos) return;
  program.fail(" is not used: command has no ${program}");
}

void read_command(const YamlMap& top, Sweep& sweep) {
  const auto program = top.find("program"), command = top.find("command");
  CommandRules rules{sweep.space, program ? program->text() : ""};
  if (program && rules.program.empty()) program->fail(" must be the path of a script, got an empty text");
  if (command && command->is_scalar()) {
    rules.is_shell = true;
    if (command->text().empty()) command->fail(" must not be empty");
    sweep.shell_command = read_word(*command, rules);
  } else if (command) {
    if (!command->is_list()) command->fail(" must be a list of words or one text, got ", command->seen());
    for (const YamlNode& item : command->items()) sweep.command.push_back(read_word(item, rules));
    if (sweep.command.empty()) command->fail(" must hold a word or more, got an empty list");
  } else if (program) {
    for (const char* word : {"${env}", "${interpreter}", "${program}", "${args}"})
      sweep.command.push_back(checked_command(word, rules));
  }
  if (program && command) expect_program_used(*program, *command);
}

}  // namespace

Sweep parse_sweep(std::string_view text, const std::string& origin) {
  const YamlMap top = YamlNode::parse(text, origin).map();
  expect_known_keys(top);
  Sweep sweep;
  sweep.text = text;
  if (const auto name = top.find("name")) sweep.name = name->text();
  if (const auto description = top.find("description")) sweep.description = description->text();
  const auto method = top.find("method");
  if (method) sweep.method = method->one_of(method_names());
  if (const auto acquisition = top.find("acquisition")) {
    sweep.acquisition = acquisition->one_of(acquisition_names());
    if (sweep.method != "bayes") acquisition->fail(" is for method bayes, got method ", sweep.method);
  }
  sweep.objectives = read_objectives(top);
  sweep.space = read_space(top);
  at_place(method ? *method : *top.find("metric"), [&] {
    return make_method(sweep.method, {sweep.space, sweep.seed, sweep.objectives.size(), sweep.acquisition});
  });
  sweep.enqueue = read_enqueue(top, sweep.space);
  read_limits(top, sweep);
  read_base(top, origin, sweep);
  read_command(top, sweep);
  return sweep;
}

std::vector<std::string> changed_keys(const std::string& before, const std::string& now) {
  const YamlMap a = YamlNode::parse(before, "the study's sweep").map(), b = YamlNode::parse(now, "the sweep").map();
  std::vector<std::string> changed;
  for (const auto& [key, node] : a.entries)
    if (const auto other = b.find(key); !other || !other->is_same(node)) changed.push_back(key);
  for (const auto& [key, node] : b.entries)
    if (!a.find(key)) changed.push_back(key);
  return changed;
}

bool is_limit(const std::string& key) {
  constexpr std::array kLimits{"name",   "description", "run_cap",       "n_trials",
                               "n_jobs", "timeout",     "trial_timeout", "retries"};
  return std::find(kLimits.begin(), kLimits.end(), key) != kLimits.end();
}

Sweep read_sweep(const std::filesystem::path& path) {
  const std::string text = read_file(path, kMostBytes);
  Sweep sweep = parse_sweep(text, path.string());
  expect_something_to_run(YamlNode::parse(text, path.string()).map());
  return sweep;
}

}  // namespace trireme::tune
