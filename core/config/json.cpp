#include "core/config/json.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme {

nlohmann::json to_json(const FieldList& fields) {
  nlohmann::json object = nlohmann::json::object();
  for (const FieldRef& field : fields) std::visit([&](const auto* value) { object[field.key] = *value; }, field.value);
  return object;
}

void from_json(const nlohmann::json& object, const FieldList& fields, const std::string& origin) {
  if (!object.is_object()) throw Error(ErrorCode::kUsage, origin, " must be a JSON object of keys");
  for (const auto& [key, value] : object.items()) {
    const FieldRef& field = find_field(fields, key, origin);
    std::vector<std::string> values;
    const auto scalar = [&](const nlohmann::json& item) {
      // Numbers through our own text: nlohmann would print a double in 17 digits.
      if (item.is_string()) return item.get<std::string>();
      if (item.is_number_float()) return to_text(item.get<double>());
      return item.dump();
    };
    if (value.is_array())
      for (const auto& item : value) values.push_back(scalar(item));
    else
      values.push_back(scalar(value));
    set_field(field, values, origin);
  }
}

}  // namespace trireme
