#include <algorithm>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/error.h"
#include "core/base/stop.h"
#include "core/base/strict_json.h"
#include "core/base/text.h"
#include "core/config/command.h"
#include "models/adapters/adapted_source.h"
#include "models/adapters/base_link.h"
#include "models/adapters/peft_directory.h"
#include "models/adapters/peft_export.h"
#include "models/checkpoint/box.h"
#include "models/checkpoint/export_weights.h"
#include "models/checkpoint/manifest.h"
#include "models/checkpoint/run_checkpoints.h"
#include "models/hugging_face/hf_directory.h"
#include "models/hugging_face/hf_export.h"
#include "models/load.h"
#include "models/store_model.h"

namespace trireme::models {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// Of commands that open adapters.
constexpr const char* kBaseHelp = "of adapters: the model that they change; empty: where they say that it is";

struct VerifyOptions {
  std::string model, base;
  bool json = false;

  static constexpr auto fields() {
    using C = VerifyOptions;
    return std::tuple{Field{"model", &C::model, "a run, a checkpoint or a Hugging Face directory", kRequired},
                      Field{"base", &C::base, kBaseHelp},
                      Field{"json", &C::json, "the result as one JSON object on one line"}};
  }
};

struct InspectOptions {
  std::string model;
  std::string step = "newest", base;
  bool json = false;

  static constexpr auto fields() {
    using C = InspectOptions;
    return std::tuple{Field{"model", &C::model, "a run, a checkpoint or a Hugging Face directory", kRequired},
                      Field{"step", &C::step, "of a run: newest, best (lowest validation loss) or a step"},
                      Field{"base", &C::base, kBaseHelp},
                      Field{"json", &C::json, "the result as one JSON object on one line"}};
  }
};

// Names and messages may hold bytes of file names, which need not be UTF-8.
void print(const Json& json) { std::cout << json_text(json) << "\n"; }

bool has_average(const Checkpoint& checkpoint) {
  return std::ranges::any_of(checkpoint.tensors(),
                             [](const auto& tensor) { return tensor.name.starts_with(kAveragePrefix); });
}

std::string scalar_text(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

// Kind and size of a tokenizer.json; null where there is none.
Json tokenizer_of(const ModelSource& source) {
  const auto text = source.companion(kTokenizerFile);
  if (!text) return nullptr;
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("model") || !json["model"].is_object()) return "of an unknown kind";
  const Json& model = json["model"];
  std::size_t added = 0;
  if (json.contains("added_tokens") && json["added_tokens"].is_array()) added = json["added_tokens"].size();
  return {{"kind", model.value("type", "BPE")},
          {"tokens", model.contains("vocab") ? model["vocab"].size() : 0},
          {"added_tokens", added}};
}

// What every kind of source tells.
Json described(const ModelSource& source) {
  const auto model = model_from_json(source.model_json(), source.where());
  std::map<std::string, std::uint64_t> bytes;
  Json tensors = Json::array();
  for (const Parameter& parameter : model->parameters().all()) {
    if (parameter.tied_to) continue;
    const StoredType type = source.type(parameter);
    bytes[std::string(type_name(type))] += static_cast<std::uint64_t>(parameter.elements()) * bytes_per_element(type);
    tensors.push_back(
        {{"name", kWeightsPrefix + parameter.name}, {"type", type_name(type)}, {"shape", parameter.shape}});
  }
  return {{"family", model->config().family},
          {"vocabulary", model->vocabulary()},
          {"parameters", model->parameters().elements()},
          {"trained_parameters", model->parameters().trained_elements()},
          {"bytes", bytes},
          {"tokenizer", tokenizer_of(source)},
          {"weights_hash", weights_hash(source)},
          {"config", Json::parse(source.model_json())},
          {"tensors", tensors}};
}

void print_row(const char* what, const std::string& value) {
  std::cout << what << std::string(14 - std::string_view(what).size(), ' ') << value << "\n";
}

void print_for_people(const Json& result) {
  if (result.contains("checkpoint")) {
    print_row("checkpoint", scalar_text(result["checkpoint"]));
    print_row("step", scalar_text(result["step"]));
    print_row("tokens", scalar_text(result["tokens"]));
    print_row("eval loss", result["eval_loss"].is_null() ? "none of this step" : scalar_text(result["eval_loss"]));
    if (const Json& best = result["best"]; !best.is_null())
      print_row("best", "step " + scalar_text(best["step"]) + ", eval loss " + scalar_text(best["eval_loss"]));
  } else if (result.contains("peft")) {
    print_row("adapters", scalar_text(result["peft"]));
  } else {
    print_row("hugging face", scalar_text(result["hugging_face"]));
  }
  if (result.contains("base")) print_row("base", scalar_text(result["base"]));
  print_row("family", scalar_text(result["family"]));
  print_row("weights hash", scalar_text(result["weights_hash"]));
  const auto parameters = result["parameters"].get<std::int64_t>();
  const auto trained = result["trained_parameters"].get<std::int64_t>();
  print_row("parameters", std::to_string(parameters) + " (" + count_text(static_cast<double>(parameters)) + ")" +
                              (trained < parameters ? ", of them " + std::to_string(trained) + " in adapters" : ""));
  std::vector<std::string> sizes;
  for (const auto& [type, bytes] : result["bytes"].items())
    sizes.push_back(bytes_text(bytes.get<double>()) + " " + type);
  print_row("weights", join(sizes, ", "));
  const Json& tokenizer = result["tokenizer"];
  print_row("tokenizer", tokenizer.is_null() ? "none: token ids alone"
                         : tokenizer.is_string()
                             ? scalar_text(tokenizer)
                             : scalar_text(tokenizer["kind"]) + ", " + scalar_text(tokenizer["tokens"]) +
                                   " tokens and " + scalar_text(tokenizer["added_tokens"]) + " added");
  if (result.contains("ema"))
    print_row("ema", result["ema"].get<bool>() ? "kept: trireme-serve --weights ema" : "none");
  std::cout << "config\n";
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

Json inspected_checkpoint(const Checkpoint& checkpoint, const std::string& model) {
  const Json training = Json::parse(checkpoint.training_json());
  Json result = {{"checkpoint", checkpoint.directory().string()},
                 {"step", training.contains("step") ? training["step"] : Json()},
                 {"tokens", training.contains("tokens") ? training["tokens"] : Json()},
                 {"eval_loss", nullptr},
                 {"best", nullptr},
                 {"ema", has_average(checkpoint)}};
  if (const auto loss = evaluated_loss(checkpoint)) result["eval_loss"] = *loss;
  // Only a run has steps to choose from.
  if (const auto best = best_checkpoints(model); !best.empty())
    result["best"] = {{"step", best[0].step}, {"eval_loss", best[0].loss}};
  return result;
}

int inspect(const InspectOptions& options) {
  const auto source = open_source(options.model, {.step = options.step, .base = options.base});
  Json result;
  const auto* const adapted = dynamic_cast<const AdaptedSource*>(source.get());
  const auto* const of_checkpoint =
      dynamic_cast<const CheckpointSource*>(adapted ? &adapted->adapters() : source.get());
  if (of_checkpoint)
    result = inspected_checkpoint(of_checkpoint->checkpoint(), options.model);
  else
    result[adapted ? "peft" : "hugging_face"] = source->where();
  if (adapted) result["base"] = adapted->base().where();
  result.update(described(*source));
  if (of_checkpoint) {
    // All that it holds: of a run the optimizer's state too.
    result["tensors"] = Json::array();
    for (const Checkpoint::Tensor& tensor : of_checkpoint->checkpoint().tensors())
      result["tensors"].push_back({{"name", tensor.name}, {"type", type_name(tensor.type)}, {"shape", tensor.shape}});
  }
  if (options.json)
    print(result);
  else
    print_for_people(result);
  return kExitDone;
}

// Directories from elsewhere have no checksums: what can be seen is that their files are whole and fit each other.
int verify_without_checksums(const VerifyOptions& options) {
  open_source(options.model, {.base = options.base});
  if (options.json)
    print({{"model", options.model}, {"sound", true}, {"checksums", false}, {"problems", Json::array()}});
  else
    std::cout << options.model << ": every weight that its config describes is there in its shape; there are no "
              << "checksums to hold bytes against\n";
  return kExitDone;
}

// Of checkpoints that belong to another model: all of a run to the same one.
std::vector<std::string> faults_of_bases(const VerifyOptions& options) {
  std::set<std::string> seen;
  std::vector<std::string> faults;
  for (const fs::path& directory : checkpoint_directories(options.model)) {
    try {
      const Checkpoint checkpoint = Checkpoint::open(directory);
      const auto link = checkpoint.companion(kBaseFile);
      if (!link || !seen.insert(*link).second) continue;
      for (const std::string& fault : base_faults(checkpoint, options.base))
        faults.push_back("the base of " + directory.filename().string() + ": " + fault);
    } catch (const Error& error) {
      if (!verify_checkpoint(directory).empty()) continue;  // said already
      faults.push_back("the base of " + directory.filename().string() + ": " + error.what());
    }
  }
  return faults;
}

int verify(const VerifyOptions& options) {
  if (PeftDirectory::is_one(options.model) || HfDirectory::is_one(options.model))
    return verify_without_checksums(options);
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
  for (const std::string& problem : faults_of_bases(options)) {
    problems.push_back(problem);
    if (!options.json) std::cout << problem << "\n";
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

Weights weights_of(const std::string& name) { return name == "ema" ? Weights::kAverage : Weights::kCurrent; }

// A type, or nothing: as they are stored.
std::optional<StoredType> weights_type(const std::string& name) {
  return name == "stored" ? std::nullopt : stored_type(name);
}

struct ExportOptions {
  std::string model, out;
  std::string step = "newest", weights = "current", base, type = "stored";
  double shard_bytes = 5e9;
  bool json = false;

  static constexpr auto fields() {
    using C = ExportOptions;
    return std::tuple{Field{"model", &C::model, "a run, a checkpoint or a Hugging Face directory", kRequired},
                      Field{"out", &C::out, "the directory to make", kRequired},
                      Field{"step", &C::step, "of a run: newest, best (lowest validation loss) or a step"},
                      Field{"weights", &C::weights, "current ones, or their moving average (optimizer.ema-decay)",
                            OneOf("current", "ema")},
                      Field{"base", &C::base, kBaseHelp},
                      Field{"type", &C::type, "of the weights; stored: as they are",
                            OneOf("stored", "float32", "bfloat16", "float16", "float64")},
                      Field{"shard-bytes", &C::shard_bytes,
                            "that a file of weights holds at most, where one tensor does not", Range(1, 1e18)},
                      Field{"json", &C::json, "the result as one JSON object on one line"}};
  }
};

int export_model(const ExportOptions& options) {
  install_stop_signals();
  const auto source = open_source(options.model, {options.step, weights_of(options.weights), options.base});
  const auto* const adapted = dynamic_cast<const AdaptedSource*>(source.get());
  if (adapted && options.shard_bytes != ExportOptions{}.shard_bytes)
    throw Error(ErrorCode::kUsage, "--shard-bytes is of whole models; adapters lie in one file");
  const HfExported exported =
      adapted ? export_to_peft(*adapted, options.out, weights_type(options.type))
              : export_to_hugging_face(*source, options.out,
                                       {weights_type(options.type), static_cast<std::uint64_t>(options.shard_bytes)});
  if (options.json)
    print({{"model", source->where()}, {"out", options.out}, {"bytes", exported.bytes}, {"files", exported.files}});
  else
    std::cout << options.out << ": " << bytes_text(static_cast<double>(exported.bytes)) << " of weights in "
              << exported.files << (exported.files == 1 ? " file" : " files") << "\n";
  return kExitDone;
}

struct ImportOptions {
  std::string directory, out;
  bool json = false;

  static constexpr auto fields() {
    using C = ImportOptions;
    return std::tuple{Field{"directory", &C::directory, "a Hugging Face directory", kRequired},
                      Field{"out", &C::out, "the checkpoint to make", kRequired},
                      Field{"json", &C::json, "the result as one JSON object on one line"}};
  }
};

int import_model(const ImportOptions& options) {
  install_stop_signals();
  if (PeftDirectory::is_one(options.directory))
    throw Error(ErrorCode::kUsage, options.directory,
                " holds adapters, which every command opens as they are; trireme-model merge makes a model of them");
  const HfDirectory source(options.directory);
  const std::string training = nlohmann::json{{"weights", "imported"}}.dump();
  const Committed committed = store_model(source, training, options.out);
  if (options.json)
    print({{"directory", options.directory},
           {"out", options.out},
           {"family", source.config().family},
           {"bytes", committed.bytes},
           {"weights_hash", committed.weights_hash}});
  else
    std::cout << options.out << ": " << source.config().family << ", "
              << bytes_text(static_cast<double>(committed.bytes)) << ", weights hash " << committed.weights_hash
              << "\n";
  return kExitDone;
}

struct MergeOptions {
  std::string model, out;
  std::string step = "newest", weights = "current", base, format = "checkpoint", type = "stored";
  bool json = false;

  static constexpr auto fields() {
    using C = MergeOptions;
    return std::tuple{
        Field{"model", &C::model, "adapters: a run, a checkpoint or a directory in PEFT's format", kRequired},
        Field{"out", &C::out, "the checkpoint or directory to make", kRequired},
        Field{"step", &C::step, "of a run: newest, best (lowest validation loss) or a step"},
        Field{"weights", &C::weights, "current ones, or their moving average (optimizer.ema-decay)",
              OneOf("current", "ema")},
        Field{"base", &C::base, kBaseHelp},
        Field{"format", &C::format, "of what is made", OneOf("checkpoint", "hugging-face")},
        Field{"type", &C::type, "of its weights; stored: as the base has them",
              OneOf("stored", "float32", "bfloat16", "float16", "float64")},
        Field{"json", &C::json, "the result as one JSON object on one line"}};
  }
};

int merge(const MergeOptions& options) {
  install_stop_signals();
  const auto source = open_source(options.model, {options.step, weights_of(options.weights), options.base});
  const auto* const adapted = dynamic_cast<const AdaptedSource*>(source.get());
  if (!adapted)
    throw Error(ErrorCode::kUsage, source->where(), " holds a whole model, and no adapters that could be merged");
  const MergedSource merged(*adapted, weights_type(options.type));
  std::uint64_t bytes = 0;
  if (options.format == "checkpoint")
    bytes = store_model(merged, nlohmann::json{{"weights", "merged"}}.dump(), options.out).bytes;
  else
    bytes = export_to_hugging_face(merged, options.out).bytes;
  if (options.json)
    print({{"model", source->where()}, {"out", options.out}, {"format", options.format}, {"bytes", bytes}});
  else
    std::cout << options.out << ": " << bytes_text(static_cast<double>(bytes)) << " of weights\n";
  return kExitDone;
}

int run(int argc, char** argv) {
  InspectOptions inspect_options;
  VerifyOptions verify_options;
  ExportWeightsOptions weights_options;
  ExportOptions export_options;
  ImportOptions import_options;
  MergeOptions merge_options;
  const Program program{
      .name = "trireme-model",
      .summary = "looks at models on disk, checks them, and brings them in and out",
      .commands =
          {{.name = "inspect",
            .summary =
                "says what a model holds: a checkpoint, the newest sound one of a run, or a Hugging Face directory",
            .options = fields_of(inspect_options),
            .positional = {"model"},
            .run = [&](const Assignments&) { return inspect(inspect_options); }},
           {.name = "verify",
            .summary = "reads every byte of a checkpoint, or of all of a run, and names all that is wrong; exit "
                       "status 1 then",
            .options = fields_of(verify_options),
            .positional = {"model"},
            .run = [&](const Assignments&) { return verify(verify_options); }},
           {.name = "export-weights",
            .summary = "writes a checkpoint of the weights alone, for serving and sharing",
            .options = fields_of(weights_options),
            .positional = {"model", "out"},
            .run = [&](const Assignments&) { return export_weights(weights_options); }},
           {.name = "import",
            .summary = "makes a checkpoint of a Hugging Face directory, every tensor bit for bit",
            .options = fields_of(import_options),
            .positional = {"directory", "out"},
            .run = [&](const Assignments&) { return import_model(import_options); }},
           {.name = "export",
            .summary = "makes a Hugging Face directory of a model, of adapters one in PEFT's format",
            .options = fields_of(export_options),
            .positional = {"model", "out"},
            .run = [&](const Assignments&) { return export_model(export_options); }},
           {.name = "merge",
            .summary = "adds adapters to the weights that they change: a model without any, in a checkpoint or a "
                       "Hugging Face directory",
            .options = fields_of(merge_options),
            .positional = {"model", "out"},
            .run = [&](const Assignments&) { return merge(merge_options); }}},
      .epilogue =
          "Examples\n"
          "  trireme-model inspect runs/first\n"
          "  trireme-model verify runs/first/checkpoints/step-00000200 --json\n"
          "  trireme-model export-weights runs/first weights/first --step best\n"
          "  trireme-model import Qwen2.5-0.5B checkpoints/qwen\n"
          "  trireme-model export runs/first first-hf --type bfloat16\n"
          "  trireme-model merge runs/adapted adapted-hf --format hugging-face"};
  return run_program(program, argc, argv);
}

}  // namespace
}  // namespace trireme::models

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  return trireme::models::run(argc, argv);
}
