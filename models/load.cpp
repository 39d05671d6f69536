#include "models/load.h"

#include "core/base/error.h"
#include "models/checkpoint/weights_hash.h"

namespace trireme::models {
namespace {

at::ScalarType scalar_type(StoredType type) {
  switch (type) {
    case StoredType::kFloat32:
      return at::kFloat;
    case StoredType::kFloat64:
      return at::kDouble;
    case StoredType::kBfloat16:
      return at::kBFloat16;
    case StoredType::kFloat16:
      return at::kHalf;
    case StoredType::kInt8:
      return at::kChar;
    case StoredType::kUint8:
      return at::kByte;
  }
  throw Error(ErrorCode::kBug, "unknown stored type");
}

StoredType stored_type(at::ScalarType type) {
  for (const StoredType stored : {StoredType::kFloat32, StoredType::kFloat64, StoredType::kBfloat16})
    if (scalar_type(stored) == type) return stored;
  throw Error(ErrorCode::kBug, "a type that no checkpoint stores");
}

const Checkpoint::Tensor& stored(const Checkpoint& checkpoint, const std::string& name) {
  for (const Checkpoint::Tensor& tensor : checkpoint.tensors())
    if (tensor.name == name) return tensor;
  throw Error(ErrorCode::kBadInput, checkpoint.directory().string(), " has no tensor ", name);
}

}  // namespace

std::unique_ptr<Model> load_model(const Checkpoint& checkpoint, Weights weights) {
  const std::string prefix = weights == Weights::kAverage ? kAveragePrefix : kWeightsPrefix;
  auto model = model_from_json(checkpoint.model_json(), checkpoint.directory().string());
  ParameterList& parameters = model->parameters();
  const std::string first = prefix + parameters.all().front().name;
  if (weights == Weights::kAverage && !checkpoint.has(first))
    throw Error(ErrorCode::kBadInput, checkpoint.directory().string(),
                " holds no average of its weights: it was trained with optimizer.ema-decay 0");
  allocate(parameters, scalar_type(stored(checkpoint, first).type));
  for (Parameter& parameter : parameters.all()) {
    if (parameter.tied_to) continue;
    const std::string name = prefix + parameter.name;
    const Checkpoint::Tensor& tensor = stored(checkpoint, name);
    if (tensor.shape != parameter.shape || scalar_type(tensor.type) != parameter.value.scalar_type())
      throw Error(ErrorCode::kBadInput, checkpoint.directory().string(), ": tensor ", name,
                  " has another shape or type than the model");
    checkpoint.read(name, parameter.value.mutable_data_ptr());
  }
  return model;
}

std::string weights_hash(const Model& model) {
  WeightsHash hash;
  for (const Parameter& parameter : model.parameters().all()) {
    if (parameter.tied_to) continue;
    const std::string name = kWeightsPrefix + parameter.name;
    hash.add(name, WeightsHash::of_tensor(name, stored_type(parameter.value.scalar_type()), parameter.shape,
                                          parameter.value.const_data_ptr()));
  }
  return hash.hex();
}

}  // namespace trireme::models
