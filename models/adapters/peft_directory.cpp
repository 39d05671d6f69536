#include "models/adapters/peft_directory.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "models/checkpoint/manifest.h"
#include "models/family.h"
#include "models/hugging_face/hf_config.h"
#include "models/hugging_face/hf_directory.h"
#include "models/layer_list.h"
#include "models/layers/adapter.h"
#include "models/load.h"
#include "models/registry.h"
#include "models/safetensors/safetensors_file.h"

namespace trireme::models {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigFile = "adapter_config.json";
constexpr const char* kWeightsFile = "adapter_model.safetensors";
constexpr const char* kBaseKey = "base_model_name_or_path";
constexpr std::uint64_t kMostConfigBytes = std::uint64_t{4} << 20;
constexpr std::uint64_t kMostCompanionBytes = std::uint64_t{1} << 30;
constexpr std::int64_t kMostRank = 1 << 16;
constexpr double kMostAlpha = 1e6, kMostDropout = 0.99;  // of model.lora

// Which of their outputs ours are, in our order.
std::vector<std::int64_t> rows_in(const HfPlace& place, const Parameter& weight) {
  std::vector<std::int64_t> rows;
  const std::int64_t inputs = weight.shape[1];
  for (std::int64_t row = 0; row < weight.shape[0]; ++row) {
    const std::int64_t at = row * inputs;
    rows.push_back(place.transposed ? place.offset + row
                                    : (place.offset + at / place.run * place.stride + at % place.run) / inputs);
  }
  return rows;
}

// adapter_config.json, as far as it decides what is computed.
struct PeftConfig {
  std::int64_t rank = 0;
  double alpha = 0;
  bool rank_stabilised = false;
  double dropout = 0;
  std::vector<std::string> targets;  // empty: the file says
  bool all_linear = false;
  std::vector<std::int64_t> layers;             // empty: all
  std::map<std::string, double> ranks, alphas;  // of modules with others
};

// Modules are named by their ending here; PEFT would take any regular expression.
bool names(const std::string& ending, const std::string& module) {
  return module == ending || module.ends_with("." + ending);
}

std::map<std::string, double> read_pattern(HfConfig& config, const char* key) {
  std::map<std::string, double> pattern;
  auto object = config.object(key);
  if (!object) return pattern;
  for (const std::string& name : object->keys()) {
    if (name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") != std::string::npos)
      config.fail(key, "must name modules by the ends of their names, got " + one_line(name, 80));
    pattern[name] = object->number(name.c_str());
  }
  return pattern;
}

// The pattern's value for a module, or nothing.
std::optional<double> chosen_by(const std::map<std::string, double>& pattern, const std::string& module,
                                const std::string& where) {
  std::optional<double> chosen;
  for (const auto& [ending, value] : pattern) {
    if (!names(ending, module)) continue;
    if (chosen && *chosen != value)
      throw Error(ErrorCode::kBadInput, where, ": rank_pattern or alpha_pattern has two values for ", module);
    chosen = value;
  }
  return chosen;
}

void read_targets(HfConfig& config, PeftConfig& to) {
  const bool excludes = config.has("exclude_modules");
  config.ignore({"exclude_modules"});
  if (config.is_text("target_modules")) {
    // A regular expression otherwise: what it chose is in the file of weights.
    to.all_linear = config.text("target_modules") == "all-linear" && !excludes;
    return;
  }
  const std::vector<std::string> targets = config.texts("target_modules");
  if (!excludes) to.targets = targets;
}

PeftConfig read_peft_config(HfConfig config) {
  PeftConfig peft;
  config.expect("peft_type", "LORA");
  peft.rank = config.integer("r");
  if (peft.rank < 1 || peft.rank > kMostRank)
    config.fail("r", "must lie between 1 and " + std::to_string(kMostRank) + ", got " + std::to_string(peft.rank));
  // Of mixtures of experts, which have all experts' matrices in one.
  if (config.has("target_parameters") && !config.texts("target_parameters").empty())
    config.fail("target_parameters", "must be empty: experts have no adapters here");
  peft.alpha = config.number("lora_alpha", 8);
  if (!(peft.alpha > 0 && peft.alpha <= kMostAlpha))
    config.fail("lora_alpha",
                "must lie above 0 and be at most " + to_text(kMostAlpha) + ", got " + to_text(peft.alpha));
  peft.rank_stabilised = config.flag("use_rslora", false);
  peft.dropout = config.number("lora_dropout", 0);
  if (!(peft.dropout >= 0 && peft.dropout <= kMostDropout))
    config.fail("lora_dropout", "must lie between 0 and " + to_text(kMostDropout) + ", got " + to_text(peft.dropout));
  read_targets(config, peft);
  if (config.has("layers_to_transform")) peft.layers = config.one_or_more_integers("layers_to_transform");
  peft.ranks = read_pattern(config, "rank_pattern");
  peft.alphas = read_pattern(config, "alpha_pattern");
  config.expect("bias", "none");
  if (const std::string task = config.text("task_type", "CAUSAL_LM"); task != "CAUSAL_LM")
    config.fail("task_type", "must be CAUSAL_LM, got '" + one_line(task, 40) + "'");
  // These change the base's weights before training, and so what the adapters are added to.
  if (config.is_text("init_lora_weights")) {
    const std::string init = config.text("init_lora_weights");
    if (init != "gaussian" && init != "eva" && init != "orthogonal")
      config.fail("init_lora_weights", "must be true, false, gaussian, eva or orthogonal, got '" + one_line(init, 40) +
                                           "': adapters that began otherwise belong to changed weights");
  }
  // How they are run, were trained or came to be.
  config.ignore({kBaseKey, "init_lora_weights", "inference_mode", "fan_in_fan_out", "layers_pattern", "peft_version",
                 "revision", "auto_mapping", "loftq_config", "eva_config", "corda_config", "megatron_config",
                 "megatron_core", "runtime_config", "qalora_group_size"});
  config.expect_all_read();
  return peft;
}

}  // namespace

std::vector<PeftModule> peft_modules(const Model& model) {
  const Family& family = find_family(model.config().family);
  std::vector<PeftModule> modules;
  for (const Parameter& parameter : model.parameters().all()) {
    const auto target = adapter_target(parameter.name.substr(0, parameter.name.rfind('.') + 1));
    if (!target || !parameter.name.ends_with(".weight")) continue;
    const HfPlace place = place_of(family, model.config(), parameter);
    constexpr std::string_view kEnding = ".weight";
    modules.push_back({&parameter, std::string(kAdapterTargets[target->second]), target->first,
                       place.tensor.substr(0, place.tensor.size() - kEnding.size()),
                       place.shape[place.transposed ? 1 : 0], rows_in(place, parameter), place.transposed});
  }
  return modules;
}

bool PeftDirectory::is_one(const fs::path& path) {
  return fs::exists(path / kConfigFile) && !fs::exists(path / kManifestFile);
}

PeftDirectory::PeftDirectory(fs::path path, const ModelSource& base) : path_(std::move(path)) {
  const std::string config_file = (path_ / kConfigFile).string();
  const PeftConfig peft = read_peft_config(HfConfig(read_file(config_file, kMostConfigBytes), config_file));
  const auto model = model_from_json(base.model_json(), base.where());
  const Family& family = find_family(model->config().family);
  if (!fs::exists(path_ / kWeightsFile) && fs::exists(path_ / "adapter_model.bin"))
    throw Error(ErrorCode::kBadInput, path_.string(),
                " holds adapter_model.bin, a pickle, which can run any code when it is opened; save it as safetensors");
  const SafetensorsFile file(path_ / kWeightsFile);
  std::map<std::string, const SafetensorsEntry*> entries;
  for (const SafetensorsEntry& entry : file.header().entries) entries[entry.name] = &entry;

  std::set<std::string> used;
  const auto find = [&](const std::string& module, const char* which) -> const SafetensorsEntry* {
    for (const std::string& spelling : tensor_spellings(family, module + "."))
      if (const auto found = entries.find("base_model.model." + spelling + which + ".weight"); found != entries.end()) {
        used.insert(found->first);
        return found->second;
      }
    return nullptr;
  };
  const auto read = [&](const SafetensorsEntry& entry) {
    if (!entry.other_type.empty() || !is_floating(entry.type))
      throw Error(ErrorCode::kBadInput, where(), ": tensor ", entry.name, " has the type ", dtype_of(entry),
                  "; weights must be floating-point numbers");
    at::Tensor values = at::empty(entry.shape, scalar_type(entry.type));
    std::memcpy(values.mutable_data_ptr(), file.data(entry), entry.end - entry.begin);
    return values;
  };

  struct Found {
    PeftModule module;
    at::Tensor down, up;
    double scale;
  };
  std::vector<Found> all;
  std::vector<bool> layers(static_cast<std::size_t>(model->config().layers)), targets(std::size(kAdapterTargets)),
      known(std::size(kAdapterTargets));
  std::int64_t rank = peft.ranks.empty() ? peft.rank : 0;
  const std::vector<PeftModule> modules = peft_modules(*model);
  for (const PeftModule& module : modules) {
    const auto number = static_cast<std::size_t>(std::ranges::find(kAdapterTargets, module.target) - kAdapterTargets);
    known[number] = true;
    const SafetensorsEntry *const a = find(module.module, "lora_A"), *const b = find(module.module, "lora_B");
    const bool is_chosen = (peft.layers.empty() || std::ranges::count(peft.layers, module.layer) > 0) &&
                           (peft.all_linear || std::ranges::any_of(peft.targets, [&](const std::string& target) {
                              return names(target, module.module);
                            }));
    if (!a && !b && !is_chosen) continue;
    if (!a || !b)
      throw Error(ErrorCode::kBadInput, where(), " has no tensor base_model.model.", module.module,
                  a ? ".lora_B.weight" : ".lora_A.weight", ", which its ", kConfigFile, " describes");
    const std::int64_t own = a->shape.empty() ? 0 : a->shape[0];
    const Extents down_shape = {own, module.weight->shape[1]}, up_shape = {module.outputs, own};
    const bool is_expected =
        own >= 1 && own <= kMostRank &&
        static_cast<double>(own) ==
            chosen_by(peft.ranks, module.module, config_file).value_or(static_cast<double>(peft.rank));
    if (!is_expected || a->shape != down_shape || b->shape != up_shape)
      throw Error(ErrorCode::kBadInput, where(), ": tensors ", a->name, " and ", b->name, " have the shapes ",
                  extents_text(a->shape), " and ", extents_text(b->shape), ", which do not fit the rank in ",
                  kConfigFile, " and a layer of ", module.weight->shape[1], " inputs and ", module.outputs, " outputs");
    const double alpha = chosen_by(peft.alphas, module.module, config_file).value_or(peft.alpha);
    rank = std::max(rank, own);
    layers[static_cast<std::size_t>(module.layer)] = targets[number] = true;
    all.push_back({module, read(*a), read(*b),
                   adapter_scale({.rank = own, .alpha = alpha, .rank_stabilised = peft.rank_stabilised})});
  }
  for (const auto& [name, entry] : entries)
    if (!used.contains(name))
      throw Error(ErrorCode::kBadInput, where(), " holds the tensor ", name, ", which is no adapter of a linear layer ",
                  "in a block of the base ", base.where());
  if (all.empty()) throw Error(ErrorCode::kBadInput, where(), " holds no adapters");

  ModelConfig config = model->config();
  LoraConfig& lora = config.lora;
  lora.rank = rank;
  lora.rank_stabilised = peft.rank_stabilised;
  lora.dropout = peft.dropout;
  lora.alpha =
      all.front().scale * (lora.rank_stabilised ? std::sqrt(static_cast<double>(rank)) : static_cast<double>(rank));
  if (rank == peft.rank && peft.alphas.empty()) lora.alpha = peft.alpha;
  lora.layers = layer_list_text(layers);
  if (targets != known) {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < targets.size(); ++i)
      if (targets[i]) texts.emplace_back(kAdapterTargets[i]);
    lora.targets = join(texts, ",");
  }
  model_json_ = models::model_json(config, model->vocabulary());

  // One rank serves all here: a file must not ask for far more than it holds.
  std::int64_t held = 0, filled = 0;
  for (const Found& one : all) {
    held += one.down.numel() + one.up.numel();
    filled += rank * (one.down.size(1) + one.up.size(0));
  }
  constexpr std::int64_t kMostTimes = 16, kSmall = std::int64_t{1} << 28;
  if (filled > kMostTimes * held && filled > kSmall)
    throw Error(ErrorCode::kBadInput, where(), ": ranks up to ", rank, " would fill ", filled, " numbers for the ",
                held, " that are there; merge adapters of such different ranks with PEFT");

  const double scale = adapter_scale(lora);
  const auto adapted = model_from_json(model_json_, where());
  for (const Parameter& parameter : adapted->parameters().all()) {
    if (!is_adapter(parameter.name)) continue;
    const bool is_up = parameter.name.ends_with(".lora-up.weight");
    const std::string layer = parameter.name.substr(0, parameter.name.find(".lora-"));
    const auto found =
        std::ranges::find(all, layer + ".weight", [](const Found& one) { return one.module.weight->name; });
    // Where some layers have no adapter, one that changes nothing.
    const at::ScalarType type = (found == all.end() ? all.front() : *found).down.scalar_type();
    at::Tensor& values = tensors_[parameter.name] = at::zeros(parameter.shape, type);
    if (found == all.end()) continue;
    const std::int64_t own = found->down.size(0);
    if (!is_up) {
      values.narrow(0, 0, own).copy_(found->down);
      continue;
    }
    values.narrow(1, 0, own).copy_(found->up.index_select(0, at::tensor(found->module.rows, at::kLong)));
    // One scale serves all here; in float64 nothing of the numbers is lost.
    if (std::abs(found->scale / scale - 1) > 1e-12) values = values.to(at::kDouble).mul_(found->scale / scale);
  }
}

const at::Tensor& PeftDirectory::tensor(const Parameter& parameter) const {
  const auto found = tensors_.find(parameter.name);
  if (found == tensors_.end() || found->second.sizes() != at::IntArrayRef(parameter.shape))
    throw Error(ErrorCode::kBadInput, where(), " has no adapter ", parameter.name, " of the shape ",
                extents_text(parameter.shape));
  return found->second;
}

StoredType PeftDirectory::type(const Parameter& parameter) const {
  return stored_type_of(tensor(parameter).scalar_type());
}

void PeftDirectory::read_rows(const Parameter& parameter, std::int64_t first, std::int64_t count, void* out) const {
  const at::Tensor rows = tensor(parameter).narrow(0, first, count);
  std::memcpy(out, rows.const_data_ptr(), rows.nbytes());
}

std::optional<std::string> PeftDirectory::companion(const std::string& name) const {
  const fs::path file = path_ / name;
  if (name == kHfConfigFile || name == kBaseFile || !fs::exists(file)) return std::nullopt;
  return read_file(file, kMostCompanionBytes);
}

std::unique_ptr<ModelSource> open_peft(const fs::path& path, const fs::path& base) {
  fs::path where = base;
  if (where.empty()) {
    const std::string file = (path / kConfigFile).string();
    const std::string name = HfConfig(read_file(file, kMostConfigBytes), file).text(kBaseKey, "");
    if (name.empty())
      throw Error(ErrorCode::kNotFound, file,
                  " does not say which model the adapters change: say where it is (--base, finetune.base)");
    for (const fs::path& candidate : {fs::path(name), path / name})
      if (where.empty() && fs::is_directory(candidate)) where = candidate;
    if (where.empty())
      throw Error(ErrorCode::kNotFound, file, " names the base model '", one_line(name, 200),
                  "', which is no directory here: say where it is (--base, finetune.base)");
  }
  auto opened = open_source(where, {.whole = true});
  auto adapters = std::make_unique<PeftDirectory>(path, *opened);
  return std::make_unique<AdaptedSource>(std::move(adapters), std::move(opened));
}

}  // namespace trireme::models
