#include "core/config/sources.h"

#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "core/config/yaml.h"

namespace trireme {
namespace {

constexpr int kDepthLimit = 8;

bool is_group(const FieldList& fields, const std::string& key) {
  return std::any_of(fields.begin(), fields.end(), [&](const FieldRef& f) { return f.key.starts_with(key + "."); });
}

void collect(const YAML::Node& node, const std::string& prefix, const std::string& origin, const FieldList& fields,
             int depth, std::vector<std::string>& seen, Assignments& out) {
  if (depth > kDepthLimit)
    throw Error(ErrorCode::kUsage, "groups nested too deep (", yaml_place(origin, node.Mark()), ")");
  if (!node.IsMap())
    throw Error(ErrorCode::kUsage, prefix.empty() ? "the file" : prefix.substr(0, prefix.size() - 1),
                " must be a mapping of keys (", yaml_place(origin, node.Mark()), ")");
  for (const auto& entry : node) {
    const std::string where = yaml_place(origin, entry.first.Mark());
    if (!entry.first.IsScalar()) throw Error(ErrorCode::kUsage, "a key must be a plain word (", where, ")");
    const std::string key = prefix + entry.first.Scalar();
    if (std::find(seen.begin(), seen.end(), key) != seen.end())
      throw Error(ErrorCode::kUsage, "key ", key, " is given twice (", where, ")");
    seen.push_back(key);
    const YAML::Node& value = entry.second;
    if (is_group(fields, key)) {
      if (value.IsMap()) collect(value, key + ".", origin, fields, depth + 1, seen, out);
      if (value.IsMap() || value.IsNull()) continue;  // a group whose keys are all commented out sets nothing
    }
    const FieldRef& field = find_field(fields, key, where);
    Assignment assignment{key, {}, where};
    if (value.IsScalar()) {
      assignment.values = {value.Scalar()};
    } else if (value.IsSequence() &&
               (field.allowed.comma_list || std::holds_alternative<std::vector<std::string>*>(field.value))) {
      for (const auto& item : value) {
        if (!item.IsScalar()) throw Error(ErrorCode::kUsage, key, " must be a list of plain values (", where, ")");
        assignment.values.push_back(item.Scalar());
      }
    } else if (value.IsMap() && field.allowed.comma_list) {
      for (const auto& item : value) {
        if (!item.first.IsScalar() || !item.second.IsScalar())
          throw Error(ErrorCode::kUsage, key, " must be a mapping of plain values (", where, ")");
        assignment.values.push_back(item.first.Scalar() + "=" + item.second.Scalar());
      }
    } else {
      throw Error(ErrorCode::kUsage, key, " must be ", type_text(field), ", got ",
                  value.IsNull()  ? "nothing"
                  : value.IsMap() ? "a mapping"
                                  : "a list",
                  " (", where, ")");
    }
    if (field.allowed.comma_list) assignment.values = {join(assignment.values, ",")};
    out.push_back(std::move(assignment));
  }
}

// JSON's form, which YAML shares. Not YAML::Emitter's: that one writes some characters of UTF-8 (U+FFFF) as U+FFFD.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string environment_name(const std::string& key) {
  std::string name = "TRIREME_";
  for (const char c : key)
    name += c == '.' || c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

}  // namespace

Assignments parse_yaml(const std::string& text, const std::string& origin, const FieldList& fields) {
  Assignments out;
  try {
    const YAML::Node document = load_yaml(text, origin);
    if (document.IsNull()) return out;  // an empty file sets nothing
    std::vector<std::string> seen;
    collect(document, "", origin, fields, 0, seen, out);
  } catch (const YAML::Exception& error) {
    throw Error(ErrorCode::kUsage, "not YAML: ", error.msg, " (", yaml_place(origin, error.mark), ")");
  }
  return out;
}

Assignments read_yaml(const std::filesystem::path& path, const FieldList& fields) {
  constexpr std::uint64_t kLimit = 1 << 20;
  return parse_yaml(read_file(path, kLimit), path.string(), fields);
}

Assignments read_environment(const FieldList& fields) {
  Assignments out;
  std::vector<std::string> known;
  for (const FieldRef& field : fields) known.push_back(environment_name(field.key));
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (!text.starts_with("TRIREME_") || equals == std::string_view::npos) continue;
    const std::string name(text.substr(0, equals));
    if (name == "TRIREME_LOG" || name.starts_with("TRIREME_LAUNCH_") || name.starts_with("TRIREME_TEST_") ||
        name.starts_with("TRIREME_TUNE_"))
      continue;
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end())
      throw Error(ErrorCode::kUsage, "unknown environment variable ", name, did_you_mean(name, known));
    out.push_back(
        {fields[static_cast<std::size_t>(found - known.begin())].key, {std::string(text.substr(equals + 1))}, name});
  }
  return out;
}

void apply_assignments(const Assignments& assignments, const FieldList& fields) {
  for (const Assignment& assignment : assignments)
    set_field(find_field(fields, assignment.key, assignment.source), assignment.values, assignment.source);
}

std::string to_yaml(const FieldList& fields) {
  std::string yaml;
  std::vector<std::string> open;  // groups, from the outermost on
  for (const FieldRef& field : fields) {
    std::vector<std::string> path = split(field.key, '.');
    const std::string name = std::move(path.back());
    path.pop_back();
    const auto [known, _] = std::mismatch(open.begin(), open.end(), path.begin(), path.end());
    open.erase(known, open.end());
    for (std::size_t depth = open.size(); depth < path.size(); ++depth) {
      yaml += std::string(2 * depth, ' ') + path[depth] + ":\n";
      open.push_back(path[depth]);
    }
    yaml += std::string(2 * path.size(), ' ') + name + ": ";
    if (const auto* const* list = std::get_if<std::vector<std::string>*>(&field.value)) {
      std::vector<std::string> items;
      for (const std::string& item : **list) items.push_back(quoted(item));
      yaml += "[" + join(items, ", ") + "]\n";
    } else {
      const std::string text = field_text(field);
      yaml += (std::holds_alternative<std::string*>(field.value) ? quoted(text) : text) + "\n";
    }
  }
  return yaml;
}

}  // namespace trireme
