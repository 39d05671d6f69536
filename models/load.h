#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "models/model.h"
#include "models/model_source.h"

namespace trireme::models {

/// The model of a source with its weights, for inference: in their stored type, or all in another.
///
/// Where types are mixed, the widest of them; float16 is widened to float32, in which the numbers are the same. Weights
/// that are mapped in the type asked for are read where they lie; the model keeps its source for them.
/// @param type  float32, bfloat16 or float64
/// @throws Error kCorrupt, kBadInput when weights are missing or have another shape
std::unique_ptr<Model> load_model(std::shared_ptr<const ModelSource> source,
                                  std::optional<at::ScalarType> type = std::nullopt);

/// What is frozen of a model that is trained, mapped from its source where the types are the same.
void load_frozen(ParameterList& parameters, const std::shared_ptr<const ModelSource>& source, at::ScalarType type);

/// Elements [begin, begin + count) of a parameter, row-major, as float32 or float64: for who keeps a part of it.
/// @throws Error kCorrupt, kBadInput, kIo
void read_elements(const ModelSource& source, const Parameter& parameter, std::int64_t begin, std::int64_t count,
                   float* out);
void read_elements(const ModelSource& source, const Parameter& parameter, std::int64_t begin, std::int64_t count,
                   double* out);

/// Element type of tensors in memory. @throws Error kBadInput for integers
at::ScalarType scalar_type(StoredType type);
/// And back.
StoredType stored_type_of(at::ScalarType type);

/// Tells models apart that are not the same, without reading all of them: of the shape, and some rows of every weight.
/// @throws Error kCorrupt, kIo
std::string fingerprint(const ModelSource& source);

/// WeightsHash of what a source holds; with adapters, of these alone. @throws Error kCorrupt, kIo
std::string weights_hash(const ModelSource& source);

}  // namespace trireme::models
