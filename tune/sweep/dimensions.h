#pragma once
#include <vector>

#include "tune/space/dimension.h"
#include "tune/sweep/yaml_node.h"

namespace trireme::tune {

/// Levels of groups in groups, of parameters and of points. An alias can make a mapping its own part.
constexpr int kMostGroupDepth = 8;

/// `parameters` of a sweep file (docs/formats/sweep.md), in its order. What a dimension alone cannot know, Space
/// checks.
/// @throws Error kUsage
std::vector<Dimension> read_dimensions(const YamlNode& parameters);

}  // namespace trireme::tune
