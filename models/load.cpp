#include "models/load.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/ScalarType.h>

#include <algorithm>
#include <vector>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "models/checkpoint/weights_hash.h"

namespace trireme::models {
namespace {

// Layers compute in these; float32 holds each number of both 16-bit types.
at::ScalarType computed_type(const ModelSource& source, const ParameterList& parameters) {
  std::optional<at::ScalarType> widest;
  for (const Parameter& parameter : parameters.all()) {
    if (parameter.tied_to || is_adapter(parameter.name)) continue;  // adapters follow the weights that they change
    const at::ScalarType type = scalar_type(source.type(parameter));
    const at::ScalarType own = type == at::kHalf ? at::kFloat : type;
    widest = widest ? c10::promoteTypes(*widest, own) : own;
  }
  return widest.value_or(at::kFloat);
}

at::Tensor loaded(const std::shared_ptr<const ModelSource>& source, const Parameter& parameter, at::ScalarType type) {
  const at::ScalarType stored = scalar_type(source->type(parameter));
  if (stored == type)
    if (const void* const mapped = source->mapped(parameter))
      // Read only: nobody writes to the weights of a model that answers.
      return at::from_blob(const_cast<void*>(mapped), parameter.shape, [source](void*) {}, at::TensorOptions(type));
  at::Tensor value = at::empty(parameter.shape, stored);
  source->read(parameter, value.mutable_data_ptr());
  return value.to(type);
}

}  // namespace

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
    default:
      throw Error(ErrorCode::kBadInput, "weights must be floating-point numbers, got ", type_name(type));
  }
}

StoredType stored_type_of(at::ScalarType type) {
  for (const StoredType stored :
       {StoredType::kFloat64, StoredType::kFloat32, StoredType::kFloat16, StoredType::kBfloat16})
    if (scalar_type(stored) == type) return stored;
  throw Error(ErrorCode::kBug, "no stored type of tensors is ", c10::toString(type));
}

std::unique_ptr<Model> load_model(std::shared_ptr<const ModelSource> source, std::optional<at::ScalarType> type) {
  auto model = model_from_json(source->model_json(), source->where());
  ParameterList& parameters = model->parameters();
  const at::ScalarType computed = type.value_or(computed_type(*source, parameters));
  for (Parameter& parameter : parameters.all())
    parameter.value = parameter.tied_to ? parameter.tied_to->value.detach() : loaded(source, parameter, computed);
  return model;
}

void load_frozen(ParameterList& parameters, const std::shared_ptr<const ModelSource>& source, at::ScalarType type) {
  for (Parameter& parameter : parameters.all())
    if (parameter.frozen)
      parameter.value = parameter.tied_to ? parameter.tied_to->value : loaded(source, parameter, type);
}

namespace {

template <class T>
void read_elements_as(const ModelSource& source, const Parameter& parameter, std::int64_t begin, std::int64_t count,
                      T* out) {
  if (count == 0) return;
  const std::int64_t row = parameter.elements() / parameter.shape[0];
  const StoredType stored = source.type(parameter);
  const std::int64_t end = begin + count;
  for_row_pieces(parameter, stored, begin / row, (end + row - 1) / row, [&](std::int64_t first, std::int64_t rows) {
    at::Tensor values = at::empty({rows * row}, scalar_type(stored));
    source.read_rows(parameter, first, rows, values.mutable_data_ptr());
    values = values.to(c10::CppTypeToScalarType<T>::value);
    const std::int64_t from = std::max(begin, first * row), to = std::min(end, (first + rows) * row);
    std::copy_n(values.const_data_ptr<T>() + (from - first * row), to - from, out + (from - begin));
  });
}

}  // namespace

void read_elements(const ModelSource& source, const Parameter& parameter, std::int64_t begin, std::int64_t count,
                   float* out) {
  read_elements_as(source, parameter, begin, count, out);
}

void read_elements(const ModelSource& source, const Parameter& parameter, std::int64_t begin, std::int64_t count,
                   double* out) {
  read_elements_as(source, parameter, begin, count, out);
}

std::string fingerprint(const ModelSource& source) {
  const auto model = model_from_json(source.model_json(), source.where());
  Xxh3Stream hash;
  ModelConfig config = model->config();
  config.dropout = 0;  // of training alone
  const std::string json = model_json(config, model->vocabulary());
  hash.update(json.data(), json.size());
  std::vector<char> buffer;
  for (const Parameter& parameter : model->parameters().all()) {
    if (parameter.tied_to || parameter.elements() == 0) continue;
    const std::int64_t rows = parameter.shape[0], row = parameter.elements() / rows;
    const auto read = [&](std::int64_t first, std::int64_t count) {
      buffer.resize(static_cast<std::size_t>(count * row) * bytes_per_element(source.type(parameter)));
      source.read_rows(parameter, first, count, buffer.data());
      hash.update(buffer.data(), buffer.size());
    };
    constexpr std::int64_t kSamples = 8, kSmall = 1 << 12;
    if (parameter.elements() <= kSmall)
      read(0, rows);
    else
      for (std::int64_t i = 0; i < kSamples; ++i) read(i * (rows - 1) / (kSamples - 1), 1);
  }
  return hash.hex128();
}

std::string weights_hash(const ModelSource& source) {
  if (auto known = source.known_weights_hash()) return *known;
  const auto model = model_from_json(source.model_json(), source.where());
  WeightsHash hash;
  std::vector<char> buffer;
  for (const Parameter& parameter : model->parameters().all()) {
    if (parameter.tied_to || parameter.frozen) continue;
    const std::string name = kWeightsPrefix + parameter.name;
    const StoredType type = source.type(parameter);
    const std::size_t item = bytes_per_element(type);
    const std::int64_t row = parameter.elements() / std::max<std::int64_t>(1, parameter.shape[0]);
    WeightsHash::Stream stream;
    for_row_pieces(parameter, type, 0, parameter.shape[0], [&](std::int64_t first, std::int64_t count) {
      buffer.resize(static_cast<std::size_t>(count * row) * item);
      source.read_rows(parameter, first, count, buffer.data());
      stream.update(buffer.data(), buffer.size());
    });
    const std::uint64_t bytes = static_cast<std::uint64_t>(parameter.elements()) * item;
    hash.add(name, WeightsHash::of_pieces(name, type, parameter.shape, stream.finish(bytes)));
  }
  return hash.hex();
}

}  // namespace trireme::models
