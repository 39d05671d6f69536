#include "core/base/error.h"
#include "models/checkpoint/checkpoint.h"

namespace trireme::models {

std::string_view type_name(StoredType type) {
  switch (type) {
    case StoredType::kFloat32:
      return "float32";
    case StoredType::kFloat64:
      return "float64";
    case StoredType::kBfloat16:
      return "bfloat16";
  }
  throw Error(ErrorCode::kBug, "unknown stored type");
}

std::optional<StoredType> stored_type(std::string_view name) {
  for (const StoredType type : {StoredType::kFloat32, StoredType::kFloat64, StoredType::kBfloat16})
    if (type_name(type) == name) return type;
  return std::nullopt;
}

std::size_t bytes_per_element(StoredType type) {
  switch (type) {
    case StoredType::kFloat32:
      return 4;
    case StoredType::kFloat64:
      return 8;
    case StoredType::kBfloat16:
      return 2;
  }
  throw Error(ErrorCode::kBug, "unknown stored type");
}

}  // namespace trireme::models
