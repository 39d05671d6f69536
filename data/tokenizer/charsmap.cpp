#include "data/tokenizer/charsmap.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstring>

#include "core/base/text.h"
#include "data/tokenizer/char_sets.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data {
namespace {

// A unit of the array: a label or a value, whether a leaf follows, and how far away the children are.
std::uint32_t label(std::uint32_t unit) { return unit & (1u << 31 | 0xFF); }
bool has_leaf(std::uint32_t unit) { return (unit >> 8 & 1) != 0; }
std::uint32_t offset(std::uint32_t unit) { return unit >> 10 << ((unit & 1u << 9) >> 6); }
std::uint32_t value(std::uint32_t unit) { return unit & ~(1u << 31); }

bool is_control(char32_t code) {
  const auto kind = utf8proc_get_property(static_cast<utf8proc_int32_t>(code))->boundclass;
  return kind == UTF8PROC_BOUNDCLASS_CONTROL || kind == UTF8PROC_BOUNDCLASS_CR || kind == UTF8PROC_BOUNDCLASS_LF;
}

/// Bytes of the cluster of characters that `text` (not empty) starts with.
std::size_t first_cluster(std::string_view text) {
  Utf8Step last = utf8_step(text);
  std::size_t size = last.size;
  if (!last.is_valid()) return size;
  utf8proc_int32_t state = 0;
  while (size < text.size()) {
    const auto byte = static_cast<unsigned char>(text[size]);
    if (last.code < 0x80 && byte < 0x80 && byte != '\n') break;  // of ASCII, only CR and LF join
    const Utf8Step next = utf8_step(text.substr(size));
    if (!next.is_valid()) break;
    const bool is_border = utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(last.code),
                                                            static_cast<utf8proc_int32_t>(next.code), &state);
    // Marks that came after the library's Unicode join too, but behind controls and ends of lines.
    if (is_border && (is_control(last.code) || !is_in(CharSet::kJoining, next.code))) break;
    size += next.size;
    last = next;
  }
  return size;
}

std::ptrdiff_t characters_of(std::string_view text) {
  std::ptrdiff_t count = 0;
  for_each_character(text, [&](Utf8Step, std::string_view) { ++count; });
  return count;
}

}  // namespace

std::optional<Charsmap> Charsmap::parse(std::string_view bytes) {
  std::uint32_t size = 0;
  if (bytes.size() < sizeof size) return std::nullopt;
  std::memcpy(&size, bytes.data(), sizeof size);
  bytes.remove_prefix(sizeof size);
  if (size < 4 || size % 4 != 0 || size > bytes.size()) return std::nullopt;
  Charsmap map;
  map.array_.resize(size / 4);
  std::memcpy(map.array_.data(), bytes.data(), size);
  map.texts_ = bytes.substr(size);
  if (!is_utf8(map.texts_)) return std::nullopt;
  return map;
}

std::optional<std::string_view> Charsmap::replacement(std::string_view part) const {
  std::uint32_t node = offset(array_[0]);
  for (const char byte : part) {
    const auto wanted = static_cast<unsigned char>(byte);
    if (wanted == 0) break;
    node ^= wanted;
    if (node >= array_.size() || label(array_[node]) != wanted) break;
    const std::uint32_t unit = array_[node];
    node ^= offset(unit);
    if (!has_leaf(unit)) continue;
    if (node >= array_.size() || value(array_[node]) > texts_.size()) break;
    const std::string_view rest = std::string_view(texts_).substr(value(array_[node]));
    const std::string_view found = rest.substr(0, rest.find('\0'));
    return is_utf8(found) ? std::optional(found) : std::nullopt;  // a damaged table may point into a character
  }
  return std::nullopt;
}

void Charsmap::apply(AlignedText& text, TextChange::Scratch& scratch) const {
  constexpr std::size_t kLongest = 6;  // a cluster of as many bytes is not looked up
  // Characters of the new text: 0 in the place of an old one, 1 added, -n in the place of one and n behind.
  struct Step {
    std::string_view character;
    std::ptrdiff_t change;
  };
  std::vector<Step> steps;
  steps.reserve(text.text().size());
  bool is_changed = false;
  const auto replace = [&](std::string_view part, std::string_view with) {
    is_changed = true;
    for_each_character(with, [&](Utf8Step, std::string_view character) { steps.push_back({character, 0}); });
    const std::ptrdiff_t more = characters_of(with) - characters_of(part);
    for (std::ptrdiff_t i = 0; i < more; ++i) steps[steps.size() - 1 - static_cast<std::size_t>(i)].change = 1;
    // What is less goes with the character before it, wherever that came from.
    if (more < 0 && !steps.empty()) steps.back().change += more;
  };
  const auto each = [&](std::string_view part) {
    for_each_character(part, [&](Utf8Step step, std::string_view character) {
      const auto with = step.is_valid() ? replacement(character) : std::nullopt;
      with ? replace(character, *with) : steps.push_back({character, 0});
    });
  };
  for (std::string_view rest = text.text(); !rest.empty();) {
    const std::string_view cluster = rest.substr(0, first_cluster(rest));
    rest.remove_prefix(cluster.size());
    const auto with = cluster.size() < kLongest ? replacement(cluster) : std::nullopt;
    with ? replace(cluster, *with) : each(cluster);
  }
  if (!is_changed) return;
  TextChange change(text, scratch);
  for (const Step& step : steps) {
    if (step.change > 0) {
      change.insert(step.character);
    } else {
      change.replace(step.character);
      change.skip_characters(static_cast<std::size_t>(-step.change));
    }
  }
  change.finish();
}

}  // namespace trireme::data
