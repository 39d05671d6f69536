#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/config/command.h"
#include "models/checkpoint/box.h"
#include "models/checkpoint/export_weights.h"
#include "models/checkpoint/run_checkpoints.h"

namespace trireme::models {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct VerifyOptions {
  std::string model;
  bool json = false;

  static constexpr auto fields() {
    using C = VerifyOptions;
    return std::tuple{Field{"model", &C::model, "a checkpoint directory or a run", kRequired},
                      Field{"json", &C::json, "the result as one JSON object on one line"}};
  }
};

struct InspectOptions {
  std::string model;
  std::string step = "newest";
  bool json = false;

  static constexpr auto fields() {
    using C = InspectOptions;
    return std::tuple{Field{"model", &C::model, "a checkpoint directory or a run", kRequired},
                      Field{"step", &C::step, "of a run: newest, best (lowest validation loss) or a step"},
                      Field{"json", &C::json, "the result as one JSON object on one line"}};
  }
};

// Names and messages may hold bytes of file names, which need not be UTF-8.
void print(const Json& json) {
  std::cout << json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) << "\n";
}

std::int64_t parameters_of(const Checkpoint& checkpoint) {
  std::int64_t parameters = 0;
  for (const Checkpoint::Tensor& tensor : checkpoint.tensors())
    if (tensor.name.starts_with(kWeightsPrefix)) parameters += volume(tensor.shape).value_or(0);
  return parameters;
}

bool has_average(const Checkpoint& checkpoint) {
  return std::ranges::any_of(checkpoint.tensors(),
                             [](const auto& tensor) { return tensor.name.starts_with(kAveragePrefix); });
}

std::string scalar_text(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

void print_for_people(const Json& result) {
  const auto parameters = result["parameters"].get<std::int64_t>();
  std::cout << "checkpoint    " << scalar_text(result["checkpoint"]) << "\nstep          "
            << scalar_text(result["step"]) << "\ntokens        " << scalar_text(result["tokens"]) << "\neval loss     "
            << (result["eval_loss"].is_null() ? "none of this step" : scalar_text(result["eval_loss"]));
  if (const Json& best = result["best"]; !best.is_null())
    std::cout << "\nbest          step " << scalar_text(best["step"]) << ", eval loss "
              << scalar_text(best["eval_loss"]);
  std::cout << "\nweights hash  " << scalar_text(result["weights_hash"]) << "\nparameters    " << parameters << " ("
            << count_text(static_cast<double>(parameters)) << ")\nema           "
            << (result["ema"].get<bool>() ? "kept: trireme-serve --weights ema" : "none") << "\nconfig\n";
  for (const auto& [key, value] : result["config"].items())
    std::cout << "  " << key << ": " << scalar_text(value) << "\n";
  std::cout << "tensors\n";
  std::size_t name_width = 0, type_width = 0;
  for (const Json& tensor : result["tensors"]) {
    name_width = std::max(name_width, tensor["name"].get_ref<const std::string&>().size());
    type_width = std::max(type_width, tensor["type"].get_ref<const std::string&>().size());
  }
  for (const Json& tensor : result["tensors"]) {
    auto name = tensor["name"].get<std::string>(), type = tensor["type"].get<std::string>();
    name.resize(name_width, ' ');
    type.resize(type_width, ' ');
    std::cout << "  " << name << "  " << type << "  " << extents_text(tensor["shape"].get<Extents>()) << "\n";
  }
}

int inspect(const InspectOptions& options) {
  const Checkpoint checkpoint = open_model(options.model, options.step);
  const Json training = Json::parse(checkpoint.training_json());
  Json result = {{"checkpoint", checkpoint.directory().string()},
                 {"step", training.contains("step") ? training["step"] : Json()},
                 {"tokens", training.contains("tokens") ? training["tokens"] : Json()},
                 {"eval_loss", nullptr},
                 {"best", nullptr},
                 {"weights_hash", checkpoint.weights_hash()},
                 {"parameters", parameters_of(checkpoint)},
                 {"ema", has_average(checkpoint)},
                 {"config", Json::parse(checkpoint.model_json())},
                 {"tensors", Json::array()}};
  if (const auto loss = evaluated_loss(checkpoint)) result["eval_loss"] = *loss;
  // Only a run has steps to choose from.
  if (const auto best = best_checkpoints(options.model); !best.empty())
    result["best"] = {{"step", best[0].step}, {"eval_loss", best[0].loss}};
  for (const Checkpoint::Tensor& tensor : checkpoint.tensors())
    result["tensors"].push_back({{"name", tensor.name}, {"type", type_name(tensor.type)}, {"shape", tensor.shape}});
  if (options.json)
    print(result);
  else
    print_for_people(result);
  return kExitDone;
}

int verify(const VerifyOptions& options) {
  Json checkpoints = Json::array(), problems = Json::array();
  for (const fs::path& directory : checkpoint_directories(options.model)) {
    const std::vector<std::string> found = verify_checkpoint(directory);
    checkpoints.push_back({{"checkpoint", directory.string()}, {"sound", found.empty()}, {"problems", found}});
    for (const std::string& problem : found) problems.push_back(directory.filename().string() + ": " + problem);
    if (options.json) continue;
    if (found.empty()) std::cout << directory.string() << " is sound\n";
    for (const std::string& problem : found) std::cout << directory.string() << ": " << problem << "\n";
    std::cout.flush();  // the next one may take minutes
  }
  if (options.json)
    print(
        {{"model", options.model}, {"sound", problems.empty()}, {"problems", problems}, {"checkpoints", checkpoints}});
  if (problems.empty()) return kExitDone;
  std::cout.flush();
  throw Error(ErrorCode::kCorrupt, options.model, " is damaged: ", problems.size(),
              problems.size() == 1 ? " problem" : " problems");
}

struct ExportWeightsOptions {
  std::string model, out;
  std::string step = "newest", weights = "current";
  bool json = false;

  static constexpr auto fields() {
    using C = ExportWeightsOptions;
    return std::tuple{Field{"model", &C::model, "a checkpoint directory or a run", kRequired},
                      Field{"out", &C::out, "the directory to make", kRequired},
                      Field{"step", &C::step, "of a run: newest, best (lowest validation loss) or a step"},
                      Field{"weights", &C::weights, "current ones, or their moving average (optimizer.ema-decay)",
                            OneOf("current", "ema")},
                      Field{"json", &C::json, "the result as one JSON object on one line"}};
  }
};

int export_weights(const ExportWeightsOptions& options) {
  const Checkpoint checkpoint = open_model(options.model, options.step);
  const Committed committed = export_weights(checkpoint, options.out, options.weights == "ema");
  if (options.json)
    print({{"checkpoint", checkpoint.directory().string()},
           {"out", options.out},
           {"weights", options.weights},
           {"bytes", committed.bytes},
           {"weights_hash", committed.weights_hash}});
  else
    std::cout << options.out << ": " << bytes_text(static_cast<double>(committed.bytes)) << ", weights hash "
              << committed.weights_hash << "\n";
  return kExitDone;
}

struct PathsOptions {
  std::vector<std::string> paths;

  static constexpr auto fields() {
    using C = PathsOptions;
    return std::tuple{Field{"paths", &C::paths, "from and to"}};
  }
};

int refuse(const std::string& command) {
  throw Error(ErrorCode::kUsage, "trireme-model ", command, " is not available yet");
}

int run(int argc, char** argv) {
  InspectOptions inspect_options;
  VerifyOptions verify_options;
  ExportWeightsOptions weights_options;
  PathsOptions export_options, import_options;
  const Program program{
      .name = "trireme-model",
      .summary = "looks at models on disk and checks them",
      .commands = {{.name = "inspect",
                    .summary = "says what a checkpoint, or the newest sound one of a run, holds",
                    .options = fields_of(inspect_options),
                    .positional = {"model"},
                    .run = [&](const Assignments&) { return inspect(inspect_options); }},
                   {.name = "verify",
                    .summary =
                        "reads every byte of a checkpoint, or of all of a run, and names all that is wrong; exit "
                        "status 1 then",
                    .options = fields_of(verify_options),
                    .positional = {"model"},
                    .run = [&](const Assignments&) { return verify(verify_options); }},
                   {.name = "export-weights",
                    .summary = "writes a checkpoint of the weights alone, for serving and sharing",
                    .options = fields_of(weights_options),
                    .positional = {"model", "out"},
                    .run = [&](const Assignments&) { return export_weights(weights_options); }},
                   {.name = "export",
                    .summary = "not available yet",
                    .options = fields_of(export_options),
                    .positional = {"paths"},
                    .run = [](const Assignments&) { return refuse("export"); }},
                   {.name = "import",
                    .summary = "not available yet",
                    .options = fields_of(import_options),
                    .positional = {"paths"},
                    .run = [](const Assignments&) { return refuse("import"); }}},
      .epilogue =
          "Examples\n"
          "  trireme-model inspect runs/first\n"
          "  trireme-model verify runs/first/checkpoints/step-00000200 --json\n"
          "  trireme-model export-weights runs/first weights/first --step best"};
  return run_program(program, argc, argv);
}

}  // namespace
}  // namespace trireme::models

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  return trireme::models::run(argc, argv);
}
