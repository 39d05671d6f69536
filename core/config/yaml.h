#pragma once
#include <yaml-cpp/mark.h>
#include <yaml-cpp/node/node.h>

#include <string>

namespace trireme {

/// "train.yaml line 3 column 7": for messages.
std::string yaml_place(const std::string& origin, const YAML::Mark& mark);

/// One document and nothing behind it; null for an empty text. For sources alone: yaml-cpp's headers are slow.
/// @param origin  for messages
/// @throws Error kUsage with line and column
YAML::Node load_yaml(const std::string& text, const std::string& origin);

}  // namespace trireme
