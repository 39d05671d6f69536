#include "models/adapters/adapted_source.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/matmul.h>

#include "models/checkpoint/manifest.h"
#include "models/layers/adapter.h"
#include "models/load.h"

namespace trireme::models {
namespace {

std::string json_without_adapters(const Model& model) {
  ModelConfig config = model.config();
  config.lora = {};
  return model_json(config, model.vocabulary());
}

}  // namespace

std::optional<std::string> AdaptedSource::companion(const std::string& name) const {
  auto text = adapters_->companion(name);
  return text ? std::move(text) : base_->companion(name);
}

MergedSource::MergedSource(const AdaptedSource& from)
    : from_(from),
      adapted_(model_from_json(from.model_json(), from.where())),
      model_json_(json_without_adapters(*adapted_)) {
  for (const Parameter& parameter : adapted_->parameters().all())
    if (is_adapter(parameter.name)) adapters_.emplace(parameter.name, &parameter);
}

std::optional<std::string> MergedSource::companion(const std::string& name) const {
  return name == kBaseFile ? std::nullopt : from_.companion(name);
}

void MergedSource::read_rows(const Parameter& parameter, std::int64_t first, std::int64_t count, void* out) const {
  from_.base().read_rows(parameter, first, count, out);
  const std::string layer = parameter.name.substr(0, parameter.name.rfind('.') + 1);
  const auto up = adapters_.find(layer + "lora-up.weight"), down = adapters_.find(layer + "lora-down.weight");
  if (!parameter.name.ends_with(".weight") || up == adapters_.end()) return;
  const at::ScalarType stored = scalar_type(type(parameter)),
                       computed = stored == at::kDouble ? at::kDouble : at::kFloat;
  const auto read = [&](const Parameter& adapter, std::int64_t begin, std::int64_t rows) {
    at::Tensor values = at::empty({rows, adapter.shape[1]}, scalar_type(from_.adapters().type(adapter)));
    from_.adapters().read_rows(adapter, begin, rows, values.mutable_data_ptr());
    return values.to(computed);
  };
  const at::Tensor change = at::matmul(read(*up->second, first, count), read(*down->second, 0, down->second->shape[0]));
  const at::Tensor rows = at::from_blob(out, {count, parameter.shape[1]}, stored);
  rows.copy_(rows.to(computed) + change * adapter_scale(adapted_->config().lora));
}

}  // namespace trireme::models
