#include "models/load.h"

#include "core/base/error.h"

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
  }
  throw Error(ErrorCode::kBug, "unknown stored type");
}

const Checkpoint::Tensor& stored(const Checkpoint& checkpoint, const std::string& name) {
  for (const Checkpoint::Tensor& tensor : checkpoint.tensors())
    if (tensor.name == name) return tensor;
  throw Error(ErrorCode::kBadInput, checkpoint.directory().string(), " has no tensor ", name);
}

}  // namespace

std::unique_ptr<Model> load_model(const Checkpoint& checkpoint) {
  auto model = model_from_json(checkpoint.model_json(), checkpoint.directory().string());
  ParameterList& parameters = model->parameters();
  allocate(parameters, scalar_type(stored(checkpoint, "weights/" + parameters.all().front().name).type));
  for (Parameter& parameter : parameters.all()) {
    if (parameter.tied_to) continue;
    const std::string name = "weights/" + parameter.name;
    const Checkpoint::Tensor& tensor = stored(checkpoint, name);
    if (tensor.shape != parameter.shape || scalar_type(tensor.type) != parameter.value.scalar_type())
      throw Error(ErrorCode::kBadInput, checkpoint.directory().string(), ": tensor ", name,
                  " has another shape or type than the model");
    checkpoint.read(name, parameter.value.mutable_data_ptr());
  }
  return model;
}

}  // namespace trireme::models
