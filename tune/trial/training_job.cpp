#include "tune/trial/training_job.h"

#include <array>
#include <filesystem>

#include "core/base/error.h"
#include "core/config/sources.h"
#include "train/config/train_config.h"

namespace trireme::tune {
namespace {

namespace fs = std::filesystem;

fs::path own_folder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

std::string find_launcher() {
  std::error_code error;
  for (fs::path folder = own_folder(); folder.has_relative_path(); folder = folder.parent_path())
    if (const fs::path path = folder / "scripts/launch/mpi"; fs::exists(path, error)) return path;
  return "mpirun";
}

// Jobs run in another folder. What has no slash is looked for by PATH.
std::string as_typed_here(const std::string& program) {
  return program.find('/') == std::string::npos ? program : fs::absolute(program).string();
}

// Places of values that have to be allowed: the ends. A normal distribution has none; one value in a thousand lies
// beyond these. Those between the ends tell a real range from one of integers.
std::vector<double> looked_at(const Dimension& dimension) {
  const bool has_ends = dimension.scale == Dimension::Scale::kUniform || dimension.scale == Dimension::Scale::kLog;
  const double end = has_ends ? 0 : 5e-4;
  return {end, 0.2718281828, 0.6180339887, 1 - end};
}

std::vector<Value> values_to_check(const Dimension& dimension) {
  if (dimension.kind == Dimension::Kind::kChoice) return dimension.choices;
  std::vector<Value> values;
  for (const double position : looked_at(dimension)) values.push_back(dimension.value_at(position));
  return values;
}

// What the runner itself gives to each job.
void expect_free(const Dimension& dimension) {
  constexpr std::array<const char*, 1> kOwn{"threads"};
  for (const char* key : kOwn)
    if (dimension.name == key)
      throw Error(ErrorCode::kUsage, "parameter ", key, " is given to all trials alike: by the sweep's own key ", key);
}

}  // namespace

TrainingPrograms TrainingPrograms::find(const std::string& trainer, const std::string& launcher) {
  return {trainer.empty() ? (own_folder() / "trireme-train").string() : as_typed_here(trainer),
          launcher.empty() ? find_launcher() : as_typed_here(launcher)};
}

std::vector<std::string> training_command(const Sweep& sweep, const TrainingPrograms& programs,
                                          const CommandContext& context, std::size_t cores) {
  std::vector<std::string> words;
  if (sweep.ranks > 1) {
    words = {programs.launcher, "-n", std::to_string(sweep.ranks)};
    if (cores < static_cast<std::size_t>(sweep.ranks)) words.insert(words.end(), {"--map-by", ":OVERSUBSCRIBE"});
  }
  words.insert(words.end(), {programs.trainer, "--config", sweep.base, "--run", context.run, "--threads",
                             std::to_string(sweep.threads)});
  for (const Parameter& parameter : context.parameters)
    words.push_back("--" + parameter.name + "=" + value_text(parameter.value));
  return words;
}

void check_training_sweep(const Sweep& sweep) {
  if (sweep.base.empty()) return;
  train::TrainConfig config;
  const FieldList fields = fields_of(config);
  apply_assignments(read_yaml(sweep.base, fields), fields);
  for (const Dimension& dimension : sweep.space.dimensions()) {
    expect_free(dimension);
    const std::string source = dimension.where.empty() ? "parameter " + dimension.name : dimension.where;
    const FieldRef& field = find_field(fields, dimension.name, source);
    for (const Value& value : values_to_check(dimension)) set_field(field, {value_text(value)}, source);
  }
}

}  // namespace trireme::tune
