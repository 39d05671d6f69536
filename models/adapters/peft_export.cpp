#include "models/adapters/peft_export.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "core/base/durable.h"
#include "core/base/error.h"
#include "models/adapters/peft_directory.h"
#include "models/layer_list.h"
#include "models/layers/adapter.h"
#include "models/load.h"
#include "models/safetensors/safetensors_writer.h"

namespace trireme::models {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kObject = "export";

// A module of theirs with its adapter.
struct Adapted {
  std::string module;
  at::Tensor down, up;
  std::int64_t parts = 1;  // adapters of ours that lie side by side in it
};

class Adapters {
 public:
  Adapters(const AdaptedSource& from, const Model& model, std::optional<StoredType> type) : from_(from), type_(type) {
    for (const Parameter& parameter : model.parameters().all())
      if (is_adapter(parameter.name)) by_name_.emplace(parameter.name, &parameter);
  }

  bool has(const PeftModule& module) const { return by_name_.contains(name(module, "up")); }

  using Parts = std::vector<const PeftModule*>;  // layers of ours with adapters that one module of theirs is made of

  // Whether they read the same, as those do that came from there.
  bool are_shared(const Parts& parts) const {
    const at::Tensor first = read(name(*parts.front(), "down"));
    return std::ranges::all_of(parts,
                               [&](const PeftModule* part) { return at::equal(read(name(*part, "down")), first); });
  }

  Adapted of(const Parts& parts, bool shared) const {
    std::vector<at::Tensor> downs;
    for (const PeftModule* part : parts) downs.push_back(read(name(*part, "down")));
    Adapted adapted{parts.front()->module, shared ? downs.front() : at::cat(downs), {}};
    adapted.parts = shared ? 1 : static_cast<std::int64_t>(parts.size());
    adapted.up = at::zeros({parts.front()->outputs, adapted.down.size(0)}, downs.front().options());
    const std::int64_t rank = downs.front().size(0);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const at::Tensor up = read(name(*parts[i], "up"));
      const std::int64_t first = shared ? 0 : static_cast<std::int64_t>(i) * rank;
      adapted.up.narrow(1, first, rank)
          .index_copy_(0, at::tensor(parts[i]->rows, at::kLong), up.to(adapted.up.scalar_type()));
    }
    return adapted;
  }

 private:
  static std::string name(const PeftModule& module, const char* which) {
    const std::string& weight = module.weight->name;
    return weight.substr(0, weight.rfind('.') + 1) + "lora-" + which + ".weight";
  }

  at::Tensor read(const std::string& name) const {
    const Parameter& parameter = *by_name_.at(name);
    const StoredType stored = from_.type(parameter);
    at::Tensor values = at::empty(parameter.shape, scalar_type(stored));
    from_.read(parameter, values.mutable_data_ptr());
    values = values.to(scalar_type(type_.value_or(stored)));
    if (!values.isfinite().all().item<bool>())
      throw Error(ErrorCode::kBadInput, from_.where(), ": ", name, " has numbers that are not finite as ",
                  type_name(type_.value_or(stored)));
    return values;
  }

  const AdaptedSource& from_;
  const std::optional<StoredType> type_;
  std::map<std::string, const Parameter*> by_name_;
};

// "self_attn.q_proj" of "model.layers.0.self_attn.q_proj".
std::string ending(const std::string& module, int parts) {
  std::size_t dot = module.size();
  for (int i = 0; i < parts; ++i) dot = module.rfind('.', dot - 1);
  return module.substr(dot + 1);
}

// By the last part of their names, where no module that has no adapter shares it.
std::set<std::string> target_names(const std::vector<PeftModule>& modules, const std::vector<Adapted>& adapted) {
  std::set<std::string> chosen, others, names;
  for (const Adapted& one : adapted) chosen.insert(ending(one.module, 2));
  for (const PeftModule& module : modules)
    if (!chosen.contains(ending(module.module, 2))) others.insert(ending(module.module, 1));
  for (const std::string& name : chosen) {
    const std::string last = name.substr(name.rfind('.') + 1);
    names.insert(others.contains(last) ? name : last);
  }
  return names;
}

Json number(double value) { return value == std::floor(value) ? Json(static_cast<std::int64_t>(value)) : Json(value); }

// Where the base is; PEFT itself opens it where it is a directory of theirs.
std::string base_path(const ModelSource& base) { return fs::absolute(base.where()).lexically_normal().string(); }

std::string config_text(const AdaptedSource& from, const Model& model, const std::vector<PeftModule>& modules,
                        const std::vector<Adapted>& adapted) {
  const LoraConfig& lora = model.config().lora;
  const double alpha = adapter_alpha(lora);
  Json ranks = Json::object(), alphas = Json::object(), layers;
  for (const Adapted& one : adapted) {
    if (one.parts == 1) continue;
    const auto parts = static_cast<double>(one.parts);
    ranks[ending(one.module, 2)] = one.down.size(0);
    alphas[ending(one.module, 2)] = number(alpha * (lora.rank_stabilised ? std::sqrt(parts) : parts));
  }
  if (lora.layers != "all") {
    layers = Json::array();
    const std::vector<bool> chosen = layer_list(lora.layers, model.config().layers, "model.lora.layers");
    for (std::size_t layer = 0; layer < chosen.size(); ++layer)
      if (chosen[layer]) layers.push_back(layer);
  }
  const Json config = {{"peft_type", "LORA"},
                       {"task_type", "CAUSAL_LM"},
                       {"base_model_name_or_path", base_path(from.base())},
                       {"r", lora.rank},
                       {"lora_alpha", number(alpha)},
                       {"use_rslora", lora.rank_stabilised},
                       {"lora_dropout", lora.dropout},
                       {"target_modules", target_names(modules, adapted)},
                       {"rank_pattern", ranks},
                       {"alpha_pattern", alphas},
                       {"layers_to_transform", layers},
                       {"layers_pattern", nullptr},
                       {"fan_in_fan_out", modules.front().transposed},
                       {"bias", "none"},
                       {"modules_to_save", nullptr},
                       {"init_lora_weights", true},
                       {"use_dora", false},
                       {"inference_mode", true}};
  return config.dump(2) + "\n";
}

}  // namespace

HfExported export_to_peft(const AdaptedSource& from, const fs::path& to, std::optional<StoredType> type) {
  const auto model = model_from_json(from.model_json(), from.where());
  const auto base = model_from_json(MergedSource(from).model_json(), from.base().where());
  const std::vector<PeftModule> modules = peft_modules(*base);
  const Adapters adapters(from, *model, type);
  std::map<std::string, std::vector<const PeftModule*>> parts;
  for (const PeftModule& module : modules)
    if (adapters.has(module)) parts[module.module].push_back(&module);
  if (model->config().experts.count > 0)
    for (const auto& [module, of_module] : parts)
      if (of_module.front()->weight->name.find(".feed-forward.") != std::string::npos)
        throw Error(ErrorCode::kBadInput, from.where(), ": adapters of ", of_module.front()->target, " in family ",
                    model->config().family,
                    " cannot leave for PEFT, which takes them for those of experts; trireme-model merge makes a whole "
                    "model of them");
  // What holds for a module holds for those of its name in all layers: rank_pattern knows no layers.
  std::map<std::string, bool> shared;
  for (const auto& [module, of_module] : parts) {
    const auto known = shared.try_emplace(ending(module, 2), true).first;
    known->second = known->second && adapters.are_shared(of_module);
  }
  std::vector<Adapted> adapted;
  for (const auto& [module, of_module] : parts) adapted.push_back(adapters.of(of_module, shared.at(ending(module, 2))));

  std::map<std::string, at::Tensor> tensors;
  std::vector<SafetensorsEntry> entries;
  for (const Adapted& one : adapted)
    for (const auto& [name, tensor] : {std::pair("lora_A", one.down), std::pair("lora_B", one.up)}) {
      const std::string full = "base_model.model." + one.module + "." + name + ".weight";
      tensors[full] = tensor.contiguous();
      entries.push_back({full, stored_type_of(tensor.scalar_type()), tensor.sizes().vec()});
    }
  HfExported exported{.files = 1};
  make_whole_folder(to, kObject, [&](const fs::path& folder) {
    SafetensorsWriter writer(folder / "adapter_model.safetensors", std::move(entries), {{"format", "pt"}});
    for (const SafetensorsEntry& entry : writer.entries()) {
      const at::Tensor& tensor = tensors.at(entry.name);
      writer.write(tensor.const_data_ptr(), tensor.nbytes());
      exported.bytes += tensor.nbytes();
    }
    writer.finish();
    write_new_file(folder / "adapter_config.json", config_text(from, *model, modules, adapted), kObject);
    write_tokenizer_texts(from, folder, model->config().context);
  });
  return exported;
}

}  // namespace trireme::models
