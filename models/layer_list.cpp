#include "models/layer_list.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme::models {
namespace {

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || text[0] == '-' || result.ec != std::errc() || result.ptr != text.data() + text.size())
    return std::nullopt;
  return value;
}

}  // namespace

std::vector<bool> layer_list(const std::string& text, std::int64_t layers, const std::string& key) {
  if (text == "all") return std::vector<bool>(static_cast<std::size_t>(layers), true);
  std::vector<bool> chosen(static_cast<std::size_t>(layers), false);
  if (text.empty()) return chosen;
  for (const std::string& item : split(text, ',')) {
    const std::string_view part = item;
    const std::size_t dash = part.find('-');
    const auto first = number(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number(part.substr(dash + 1));
    if (!first || !last || *first > *last || *last >= layers)
      throw Error(ErrorCode::kUsage, key, " must be all or a list of layers from 0 to ", layers - 1,
                  " such as 0,2,5-7, got '", text, "'");
    std::fill(chosen.begin() + *first, chosen.begin() + *last + 1, true);
  }
  return chosen;
}

std::string layer_list_text(const std::vector<bool>& chosen) {
  if (std::ranges::all_of(chosen, [](bool one) { return one; })) return "all";
  std::string text;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (!chosen[i]) continue;
    std::size_t last = i;
    while (last + 1 < chosen.size() && chosen[last + 1]) ++last;
    text += (text.empty() ? "" : ",") + std::to_string(i) + (last > i ? "-" + std::to_string(last) : "");
    i = last;
  }
  return text;
}

}  // namespace trireme::models
