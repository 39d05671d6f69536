#include "models/registry.h"

#include <algorithm>
#include <iterator>

#include "core/base/error.h"
#include "core/base/text.h"
#include "models/bert/bert.h"
#include "models/family.h"
#include "models/gemma2/gemma2.h"
#include "models/gpt2/gpt2.h"
#include "models/gpt_neox/gpt_neox.h"
#include "models/layers/adapter.h"
#include "models/llama/llama.h"
#include "models/mistral/mistral.h"
#include "models/mixtral/mixtral.h"
#include "models/phi3/phi3.h"
#include "models/qwen2/qwen2.h"
#include "models/qwen3/qwen3.h"
#include "models/qwen3_moe/qwen3_moe.h"
#include "models/t5/t5.h"

namespace trireme::models {
namespace {

// One line a family.
constexpr const Family& (*kFamilies[])() = {
    bert_family,    gemma2_family, gpt2_family,  gpt_neox_family, llama_family,     mistral_family,
    mixtral_family, phi3_family,   qwen2_family, qwen3_family,    qwen3_moe_family, t5_family,
};

constexpr std::string_view kKeysOfAll[] = {"family",         "head",    "labels",       "padding", "layers",
                                           "width",          "heads",   "ffn",          "context", "vocabulary",
                                           "tie-embeddings", "dropout", "norm-epsilon", "lora."};

// A key may stand for a group: "rope-scaling.".
bool honours(const Family& family, std::string_view key) {
  const auto names = [&](std::string_view known) {
    return known == key || (known.ends_with('.') && key.starts_with(known));
  };
  return std::ranges::any_of(kKeysOfAll, names) || std::ranges::any_of(family.keys, names);
}

void expect_honoured(const Family& family, ModelConfig config) {
  ModelConfig defaults;
  const FieldList fields = fields_of(config), plain = fields_of(defaults);
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (field_text(fields[i]) != field_text(plain[i]) && !honours(family, fields[i].key))
      throw Error(ErrorCode::kUsage, "model.", fields[i].key, " has no meaning for family ", family.name,
                  "; allowed: ", field_text(plain[i]).empty() ? "nothing" : field_text(plain[i]), ", got ",
                  field_text(fields[i]));
}

// Keys of a group that say how something is done say nothing where it is not done.
void expect_used(ModelConfig config) {
  struct Group {
    std::string_view prefix, but;
    bool used;
    std::string needs;
  };
  const Group groups[] = {
      {"rope-scaling.", "rope-scaling.type", config.rope_scaling.type != "none", "model.rope-scaling.type"},
      {"experts.", "experts.count", config.experts.count > 0, "model.experts.count"},
      {"lora.", "lora.rank", config.lora.rank > 0, "model.lora.rank"},
      {"labels", "", config.classifies(), "model.head classes or labels"},
      {"padding", "", config.head == "classes" && kind_of(config) == Family::Kind::kDecoder,
       "a decoder with model.head classes"},
      {"window-layers", "", config.window > 0, "model.window"}};
  ModelConfig defaults;
  const FieldList fields = fields_of(config), plain = fields_of(defaults);
  for (std::size_t i = 0; i < fields.size(); ++i)
    for (const Group& group : groups)
      if (!group.used && fields[i].key.starts_with(group.prefix) && fields[i].key != group.but &&
          field_text(fields[i]) != field_text(plain[i]))
        throw Error(ErrorCode::kUsage, "model.", fields[i].key, " has no meaning without ", group.needs, ", got ",
                    field_text(fields[i]));
}

// Of a whole model: a target that none of its layers has would be passed over in silence.
void expect_adapters(const Model& model) {
  const LoraConfig& config = model.config().lora;
  const std::vector<bool> targets = adapter_targets(config);
  bool any = false;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const std::string ending = "." + std::string(kAdapterTargets[i]) + ".lora-up.weight";
    const bool found = std::ranges::any_of(
        model.parameters().all(), [&](const Parameter& parameter) { return parameter.name.ends_with(ending); });
    any = any || found;
    if (targets[i] && !found && config.targets != "all")
      throw Error(ErrorCode::kUsage, "model.lora.targets names ", kAdapterTargets[i], ", and no block of this ",
                  model.config().family, " that model.lora.layers chooses has such a layer outside of experts");
  }
  if (!any) throw Error(ErrorCode::kUsage, "model.lora.layers must choose a block, got '", config.layers, "'");
}

}  // namespace

std::vector<std::string> family_names() {
  std::vector<std::string> names;
  for (const auto family : kFamilies) names.emplace_back(family().name);
  return names;
}

std::vector<std::string> decoder_names() {
  std::vector<std::string> names;
  for (const auto family : kFamilies)
    if (family().kind == Family::Kind::kDecoder) names.emplace_back(family().name);
  return names;
}

Family::Kind kind_of(const ModelConfig& config) { return find_family(config.family).kind; }

const Family& find_family(const std::string& name) {
  for (const auto family : kFamilies)
    if (name == family().name) return family();
  throw Error(ErrorCode::kUsage, "model.family must be one of ", join(family_names(), ", "), ", got '", name, "'",
              did_you_mean(name, family_names()));
}

const Architecture& architecture_of(const Family& family, const std::string& head) {
  std::vector<std::string> known;
  for (const Architecture& one : family.architectures) {
    if (one.head == head) return one;
    known.emplace_back(one.head);
  }
  throw Error(ErrorCode::kUsage, "model.head must be ", join(known, " or "), " for family ", family.name, ", got ",
              head);
}

HfPlace place_of(const Family& family, const ModelConfig& config, const Parameter& parameter) {
  constexpr std::string_view kHead = "head";
  if (!config.classifies() || group_of(parameter.name) != kHead) return family.place(config, parameter);
  return whole_tensor(std::string(architecture_of(family, config.head).module) + parameter.name.substr(kHead.size()),
                      parameter);
}

std::unique_ptr<Model> build_model(const ModelConfig& config, std::int64_t vocabulary, Part part) {
  const Family& family = find_family(config.family);
  expect_honoured(family, config);
  expect_used(config);
  architecture_of(family, config.head);
  if (config.lora.rank > 0 && config.classifies())
    throw Error(ErrorCode::kUsage, "model.lora.rank must be 0 for model.head ", config.head,
                ": adapters beside a head that is trained are not available yet; got ", config.lora.rank);
  auto model = family.build(config, vocabulary, part);
  if (config.lora.rank > 0) {
    if (model->begins() && model->ends()) expect_adapters(*model);
    model->parameters().freeze_but_adapters();
  }
  return model;
}

namespace {

constexpr std::pair<std::string_view, ops::Activation> kActivations[] = {{"silu", ops::Activation::kSilu},
                                                                         {"gelu", ops::Activation::kGelu},
                                                                         {"gelu-tanh", ops::Activation::kGeluTanh},
                                                                         {"relu", ops::Activation::kRelu}};

}  // namespace

ops::Activation activation_of(const ModelConfig& config) {
  for (const auto& [name, activation] : kActivations)
    if (name == config.activation) return activation;
  return find_family(config.family).activation;
}

std::string_view activation_name(ops::Activation activation) {
  for (const auto& [name, known] : kActivations)
    if (known == activation) return name;
  throw Error(ErrorCode::kBug, "unknown activation");
}

bool has_parallel_residual(const ModelConfig& config) {
  return config.parallel_residual == "auto" ? find_family(config.family).parallel_residual
                                            : config.parallel_residual == "yes";
}

std::string_view chosen(const std::string& value, std::string_view key, std::string_view family,
                        std::initializer_list<std::string_view> allowed) {
  if (value == "auto") return *allowed.begin();
  for (const std::string_view one : allowed)
    if (one == value) return one;
  throw Error(ErrorCode::kUsage, "model.", key, " must be auto, ",
              join(std::vector<std::string>(allowed.begin(), allowed.end()), " or "), " for family ", family, ", got ",
              value);
}

}  // namespace trireme::models
