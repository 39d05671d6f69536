#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/config/field.h"

namespace trireme {

/// The fields of a config as one flat JSON object: {"learning-rate":0.0003,...}, dotted keys for groups.
nlohmann::json to_json(const FieldList& fields);

/// Sets fields from such an object. Keys that are missing keep their default: an older file knows fewer.
/// @throws Error kUsage for a key or value that does not fit
void from_json(const nlohmann::json& object, const FieldList& fields, const std::string& origin);

}  // namespace trireme
