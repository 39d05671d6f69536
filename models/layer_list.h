#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace trireme::models {

/// Which of a model's layers a key names: "all", or numbers and ranges from 0 as "0,2,5-7"; empty: none.
/// @returns  a flag a layer
/// @throws Error kUsage naming the key, the value, what is allowed
std::vector<bool> layer_list(const std::string& text, std::int64_t layers, const std::string& key);
/// The shortest text that means these.
std::string layer_list_text(const std::vector<bool>& chosen);

}  // namespace trireme::models
