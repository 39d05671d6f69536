#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace trireme::models {

/// Element types of tensors on disk.
enum class StoredType { kFloat64, kFloat32, kFloat16, kBfloat16, kInt8, kUint8 };

/// As checkpoints spell them: "float32", "bfloat16", ...
std::string_view type_name(StoredType type);
std::optional<StoredType> stored_type(std::string_view name);
/// As safetensors spells them: "F32", "BF16", ...
std::string_view safetensors_name(StoredType type);
std::optional<StoredType> stored_type_of_safetensors(std::string_view name);
/// All of a spelling, for messages: "float64, float32, ..."
std::string known_types(std::string_view (*spelling)(StoredType));

std::size_t bytes_per_element(StoredType type);
/// Whether it can be a model's weights as it is; integers are weights only together with scales.
bool is_floating(StoredType type);

}  // namespace trireme::models
