#include "models/adapters/peft_export.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
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
#include "models/hugging_face/hf_directory.h"
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

  // Of the layers of ours that one module of theirs is made of, those that have adapters.
  Adapted of(const std::vector<const PeftModule*>& parts) const {
    std::vector<at::Tensor> downs;
    for (const PeftModule* part : parts) downs.push_back(read(name(*part, "down")));
    // Those that came from there share what they read.
    const bool shared =
        std::ranges::all_of(downs, [&](const at::Tensor& down) { return at::equal(down, downs.front()); });
    Adapted adapted{parts.front()->module, shared ? downs.front() : at::cat(downs), {}};
    adapted.parts = shared ? 1 : static_cast<std::int64_t>(parts.size());
    adapted.up = at::zeros({parts.front()->outputs, adapted.down.size(0)}, downs.front().options());
    const std::int64_t rank = downs.front().size(0);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const at::Tensor up = read(name(*parts[i], "up"));
      const std::int64_t first = shared ? 0 : static_cast<std::int64_t>(i) * rank;
      for (std::int64_t row = 0; row < up.size(0); ++row)
        adapted.up.select(0, parts[i]->rows[static_cast<std::size_t>(row)])
            .narrow(0, first, rank)
            .copy_(up.select(0, row));
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

// Where PEFT finds the base: only a directory of theirs is one for it.
std::string base_path(const ModelSource& base) {
  return dynamic_cast<const HfDirectory*>(&base) ? fs::absolute(base.where()).lexically_normal().string() : "";
}

std::string config_text(const AdaptedSource& from, const Model& model, const std::vector<PeftModule>& modules,
                        const std::vector<Adapted>& adapted) {
  const LoraConfig& lora = model.config().lora;
  const double alpha = lora.alpha == 0 ? static_cast<double>(lora.rank) : lora.alpha;
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
  std::vector<Adapted> adapted;
  for (const auto& [module, of_module] : parts) adapted.push_back(adapters.of(of_module));

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
