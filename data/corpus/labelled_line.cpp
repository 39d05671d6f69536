#include "data/corpus/labelled_line.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/strict_json.h"
#include "core/base/text.h"

namespace trireme::data {
namespace {

using nlohmann::json;

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

LabelledLine LabelledLine::parse(std::string_view line, const LabelledFields& fields,
                                 const std::function<std::string()>& place) {
  const auto fail = [&](const auto&... parts) { throw Error(ErrorCode::kBadInput, place(), ": ", parts...); };
  const json object = [&] {
    try {
      return parse_object(std::string(line), place(), ErrorCode::kBadInput);
    } catch (const Error&) {
      if (is_utf8(line)) throw;
      throw Error(ErrorCode::kBadInput, place(), ": it is not UTF-8");
    }
  }();
  const auto member = [&](const std::string& name) -> const json& {
    const auto found = object.find(name);
    if (found == object.end()) fail("it has no member \"", name, "\"");
    return *found;
  };
  const bool of_tokens = fields.of == Labels::Of::kTokens;
  LabelledLine result;
  if (const auto ids = object.find("token_ids"); ids != object.end()) {
    if (!ids->is_array() || ids->empty()) fail("\"token_ids\" must be a list of ids, got ", json_excerpt(*ids, 40));
    result.ids.emplace();
    for (const json& id : *ids) {
      if (!id.is_number_unsigned() || id.get<std::uint64_t>() > std::numeric_limits<TokenId>::max())
        fail("\"token_ids\" must be a list of ids, got ", json_excerpt(id, 40), " in it");
      result.ids->push_back(id.get<TokenId>());
    }
  } else if (const json& text = member(fields.text); of_tokens) {
    if (!text.is_array() || text.empty())
      fail("\"", fields.text, "\" must be a list of words, each with a label, got ", json_excerpt(text, 40));
    for (const json& word : text) {
      if (!word.is_string()) fail("\"", fields.text, "\" must be a list of words, got ", json_excerpt(word, 40));
      result.words.push_back(word.get<std::string>());
    }
    result.text = join(result.words, " ");
  } else {
    if (!text.is_string()) fail("\"", fields.text, "\" must be a text, got ", json_excerpt(text, 40));
    result.text = text.get<std::string>();
  }
  const auto label_of = [&](const json& value) -> std::optional<std::string> {
    if (of_tokens && (value.is_null() || value == -100)) return std::nullopt;
    if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
    if (value.is_number_unsigned()) return value.dump();
    if (!value.is_string() || value.get_ref<const std::string&>().empty())
      fail("\"", fields.label, "\" must be the name of a label or its number", of_tokens ? ", null or -100" : "",
           ", got ", json_excerpt(value, 40));
    return value.get<std::string>();
  };
  const json& label = member(fields.label);
  if (!of_tokens) {
    result.labels.push_back(label_of(label));
    return result;
  }
  const std::size_t due = result.ids ? result.ids->size() : result.words.size();
  if (!label.is_array() || label.size() != due)
    fail("\"", fields.label, "\" must be a list of ", due, ", one for each ", result.ids ? "token" : "word", ", got ",
         label.is_array() ? std::to_string(label.size()) : json_excerpt(label, 40));
  for (const json& one : label) result.labels.push_back(label_of(one));
  return result;
}

LabelNames::LabelNames(std::vector<std::string> names) : names_(std::move(names)) {
  if (names_.size() < 2 || names_.size() > Labels::kMost)
    throw Error(ErrorCode::kUsage, "there must be 2 to ", Labels::kMost, " labels, got ", names_.size(),
                names_.size() == 1 ? ": " + names_[0] : "");
  for (const std::string& name : names_) {
    if (!is_utf8(name)) throw Error(ErrorCode::kUsage, "the name of a label is not UTF-8: '", one_line(name, 80), "'");
    if (!numbers_.emplace(name, static_cast<std::int64_t>(numbers_.size())).second)
      throw Error(ErrorCode::kUsage, "the label '", name, "' is named twice");
    are_numbers_ = are_numbers_ || whole_number(name);
  }
}

LabelNames LabelNames::found(std::vector<std::string> names) {
  const bool numbers =
      std::ranges::all_of(names, [](const std::string& name) { return whole_number(name).has_value(); });
  std::ranges::sort(names, [&](const std::string& a, const std::string& b) {
    return numbers ? *whole_number(a) < *whole_number(b) : a < b;
  });
  return LabelNames(std::move(names));
}

std::int64_t LabelNames::number_of(const std::string& label, const std::function<std::string()>& place) const {
  if (const auto known = numbers_.find(label); known != numbers_.end()) return known->second;
  const auto number = are_numbers_ ? std::nullopt : whole_number(label);
  if (number && *number >= 0 && *number < static_cast<std::int64_t>(names_.size())) return *number;
  throw Error(ErrorCode::kBadInput, place(), ": '", one_line(label, 80), "' is no label", did_you_mean(label, names_),
              "; the labels are ", one_line(join(names_, ", "), 400));
}

}  // namespace trireme::data
