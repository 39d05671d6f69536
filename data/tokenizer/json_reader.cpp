#include "data/tokenizer/json_reader.h"

#include <algorithm>

#include "core/base/text.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data {

std::string quoted(const std::string& token) { return JsonReader::shown(JsonReader::Json(token)); }

JsonReader::Json JsonReader::document(const std::string& text) const {
  if (text.size() > kMaxTokenizerBytes)
    refuse("is ", bytes_text(static_cast<double>(text.size())), ", a tokenizer.json may have ",
           bytes_text(kMaxTokenizerBytes));
  std::vector<std::size_t> keys_at(kMaxTokenizerDepth + 2);
  std::vector<std::string> last_key(kMaxTokenizerDepth + 2);
  const auto check = [&](int depth, Json::parse_event_t event, Json& parsed) {
    using Event = Json::parse_event_t;
    if (depth > kMaxTokenizerDepth) refuse("is nested deeper than ", kMaxTokenizerDepth, " levels");
    const auto level = static_cast<std::size_t>(depth);
    if (event == Event::object_start) keys_at[level + 1] = 0;
    if (event == Event::key) {
      ++keys_at[level];
      if (level <= 2) last_key[level] = parsed.get_ref<const std::string&>();
    }
    if (event == Event::object_end && parsed.size() != keys_at[level + 1])
      refuse(level == 0 ? "the top level" : last_key[std::min<std::size_t>(level, 2)], " has a key twice");
    return true;
  };
  try {
    return Json::parse(text, check);
  } catch (const Json::exception& error) {
    refuse("is not JSON: ", std::string_view(error.what()).substr(0, 200));
  }
}

void JsonReader::require_object(const Json& value, const std::string& where) const {
  if (!value.is_object()) refuse(where, " must be an object, got ", shown(value));
}

void JsonReader::require_known_keys(const Json& object, const std::string& where,
                                    const std::vector<std::string>& known) const {
  require_object(object, where);
  for (const auto& [key, value] : object.items()) {
    if (key != "type" && std::find(known.begin(), known.end(), key) == known.end())
      refuse(where, " has the key ", quoted(key), ", which is not supported", did_you_mean(key, known));
  }
}

const JsonReader::Json& JsonReader::member(const Json& object, const char* key, const std::string& where) const {
  require_object(object, where);
  const auto found = object.find(key);
  if (found == object.end()) refuse(where, ".", key, " is missing");
  return *found;
}

bool JsonReader::boolean(const Json& object, const char* key, const std::string& where) const {
  const Json& value = member(object, key, where);
  if (!value.is_boolean()) refuse(where, ".", key, " must be true or false, got ", shown(value));
  return value.get<bool>();
}

bool JsonReader::boolean(const Json& object, const char* key, const std::string& where, bool otherwise) const {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? otherwise : boolean(object, key, where);
}

std::string JsonReader::text(const Json& object, const char* key, const std::string& where) const {
  const Json& value = member(object, key, where);
  if (!value.is_string()) refuse(where, ".", key, " must be a text, got ", shown(value));
  return value.get<std::string>();
}

std::string JsonReader::text(const Json& object, const char* key, const std::string& where,
                             const std::string& otherwise) const {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? otherwise : text(object, key, where);
}

std::string JsonReader::character(const Json& object, const char* key, const std::string& where) const {
  const std::string value = text(object, key, where);
  if (value.empty() || utf8_step(value).size != value.size())
    refuse(where, ".", key, " must be one character, got ", shown(Json(value)));
  return value;
}

std::int64_t JsonReader::count(const Json& object, const char* key, const std::string& where, std::int64_t least,
                               std::int64_t most) const {
  const Json& value = member(object, key, where);
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(most)) ||
      value.get<std::int64_t>() < least || value.get<std::int64_t>() > most)
    refuse(where, ".", key, " must be a whole number in [", least, ", ", most, "], got ", shown(value));
  return value.get<std::int64_t>();
}

std::string JsonReader::choice(const Json& object, const char* key, const std::string& where,
                               const std::vector<std::string>& allowed) const {
  const Json& value = member(object, key, where);
  if (!value.is_string() ||
      std::find(allowed.begin(), allowed.end(), value.get_ref<const std::string&>()) == allowed.end())
    refuse(where, ".", key, " must be one of ", join(allowed, ", "), ", got ", shown(value));
  return value.get<std::string>();
}

TokenId JsonReader::id(const Json& value, const std::string& token) const {
  if (!value.is_number_integer() || (value.is_number_unsigned() && value.get<std::uint64_t>() >= kMaxTokenIds) ||
      value.get<std::int64_t>() < 0 || value.get<std::int64_t>() >= kMaxTokenIds)
    refuse("the id of token ", quoted(token), " must be a whole number in [0, ", kMaxTokenIds, "), got ", shown(value));
  return value.get<TokenId>();
}

std::vector<std::pair<std::string, TokenId>> JsonReader::vocabulary(const Json& model) const {
  const Json& entries = member(model, "vocab", "model");
  require_object(entries, "model.vocab");
  std::vector<std::pair<std::string, TokenId>> tokens;
  tokens.reserve(entries.size());
  for (const auto& [token, value] : entries.items()) tokens.emplace_back(token, id(value, token));
  return tokens;
}

std::string JsonReader::shown(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, complete_utf8_prefix(std::string_view(text).substr(0, 60))) + "...";
  return text;
}

}  // namespace trireme::data
