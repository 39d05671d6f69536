#include "models/adapters/adapted_source.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/matmul.h>

#include "core/base/error.h"
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

MergedSource::MergedSource(const AdaptedSource& from, std::optional<StoredType> type)
    : from_(from),
      type_(type),
      adapted_(model_from_json(from.model_json(), from.where())),
      model_json_(json_without_adapters(*adapted_)) {
  for (const Parameter& parameter : adapted_->parameters().all())
    if (is_adapter(parameter.name)) adapters_.emplace(parameter.name, &parameter);
}

std::optional<std::string> MergedSource::companion(const std::string& name) const {
  return name == kBaseFile ? std::nullopt : from_.companion(name);
}

void MergedSource::read_rows(const Parameter& parameter, std::int64_t first, std::int64_t count, void* out) const {
  const StoredType stored = from_.base().type(parameter);
  const std::string layer = parameter.name.substr(0, parameter.name.rfind('.') + 1);
  const auto up = adapters_.find(layer + "lora-up.weight"), down = adapters_.find(layer + "lora-down.weight");
  const bool is_changed = parameter.name.ends_with(".weight") && up != adapters_.end();
  if (!is_changed && stored == type(parameter)) return from_.base().read_rows(parameter, first, count, out);
  const auto read = [&](const ModelSource& source, const Parameter& of, std::int64_t begin, std::int64_t rows) {
    at::Tensor values = at::empty({rows, of.elements() / of.shape[0]}, scalar_type(source.type(of)));
    source.read_rows(of, begin, rows, values.mutable_data_ptr());
    return values.to(scalar_type(stored) == at::kDouble ? at::kDouble : at::kFloat);
  };
  at::Tensor rows = read(from_.base(), parameter, first, count);
  if (is_changed)
    rows = rows + adapter_scale(adapted_->config().lora) *
                      at::matmul(read(from_.adapters(), *up->second, first, count),
                                 read(from_.adapters(), *down->second, 0, down->second->shape[0]));
  const at::Tensor result = at::from_blob(out, rows.sizes(), scalar_type(type(parameter)));
  result.copy_(rows);
  if ((result.isinf() & ~rows.isinf()).any().item<bool>())
    throw Error(ErrorCode::kBadInput, where(), ": ", parameter.name, " has numbers that are too large for ",
                type_name(type(parameter)), "; choose a wider type (--type)");
}

}  // namespace trireme::models
