#include "models/stored_type.h"

#include <algorithm>
#include <iterator>

#include "core/base/error.h"

namespace trireme::models {
namespace {

struct Entry {
  StoredType type;
  std::string_view name, safetensors;
  std::size_t bytes;
  bool floating;
};

constexpr Entry kTypes[] = {
    {StoredType::kFloat64, "float64", "F64", 8, true}, {StoredType::kFloat32, "float32", "F32", 4, true},
    {StoredType::kFloat16, "float16", "F16", 2, true}, {StoredType::kBfloat16, "bfloat16", "BF16", 2, true},
    {StoredType::kInt8, "int8", "I8", 1, false},       {StoredType::kUint8, "uint8", "U8", 1, false},
};

const Entry& entry_of(StoredType type) {
  const auto* const found = std::ranges::find(kTypes, type, &Entry::type);
  if (found == std::end(kTypes)) throw Error(ErrorCode::kBug, "unknown stored type");
  return *found;
}

std::optional<StoredType> type_called(std::string_view name, std::string_view Entry::* spelling) {
  const auto* const found = std::ranges::find(kTypes, name, spelling);
  return found == std::end(kTypes) ? std::nullopt : std::optional(found->type);
}

}  // namespace

std::string_view type_name(StoredType type) { return entry_of(type).name; }
std::optional<StoredType> stored_type(std::string_view name) { return type_called(name, &Entry::name); }
std::string_view safetensors_name(StoredType type) { return entry_of(type).safetensors; }
std::optional<StoredType> stored_type_of_safetensors(std::string_view name) {
  return type_called(name, &Entry::safetensors);
}

std::string known_types(std::string_view (*spelling)(StoredType)) {
  std::string text;
  for (const Entry& entry : kTypes) text += (text.empty() ? "" : ", ") + std::string(spelling(entry.type));
  return text;
}

std::size_t bytes_per_element(StoredType type) { return entry_of(type).bytes; }
bool is_floating(StoredType type) { return entry_of(type).floating; }

}  // namespace trireme::models
