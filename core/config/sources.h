#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "core/config/field.h"

namespace trireme {

/// A value that a file, the environment or a flag gives to a key, before it is parsed by the field's type: so `1e-3`
/// and `no` mean what the field says, whatever YAML would make of them.
struct Assignment {
  std::string key;
  std::vector<std::string> values;
  std::string source;  ///< for messages: "train.yaml line 3 column 7", "TRIREME_SEED", "--seed"
};
using Assignments = std::vector<Assignment>;

/// YAML with groups as mappings or dotted keys. Keys are checked against `fields`.
/// @throws Error kNotFound, kUsage with line and column
Assignments read_yaml(const std::filesystem::path& path, const FieldList& fields);
Assignments parse_yaml(const std::string& text, const std::string& origin, const FieldList& fields);

/// TRIREME_OPTIMIZER_LEARNING_RATE for optimizer.learning-rate. @throws Error kUsage for a TRIREME_ name that is no key
/// and none of the few that are read elsewhere (TRIREME_LOG, TRIREME_LAUNCH_...).
Assignments read_environment(const FieldList& fields);

/// In order: a later one wins. @throws Error kUsage
void apply_assignments(const Assignments& assignments, const FieldList& fields);

/// All fields as YAML that read_yaml gives back, groups as mappings.
std::string to_yaml(const FieldList& fields);

}  // namespace trireme
