#include "data/tokenizer/tokenizer_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme::data {
namespace {

using Json = nlohmann::json;

/// One tokenizer.json being read: every refusal names the file and the part.
class Reader {
 public:
  explicit Reader(const std::string& origin) : origin_(origin) {}

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    throw Error(ErrorCode::kBadInput, origin_, ": ", parts...);
  }

  /// The document, with depth limited and no key twice in one object (the last would win without a word).
  Json document(const std::string& text) const {
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

  void require_object(const Json& value, const std::string& where) const {
    if (!value.is_object()) refuse(where, " must be an object, got ", shown(value));
  }

  void require_known_keys(const Json& object, const std::string& where, const std::vector<std::string>& known) const {
    require_object(object, where);
    for (const auto& [key, value] : object.items()) {
      if (std::find(known.begin(), known.end(), key) == known.end())
        refuse(where, " has the key ", quoted(key), ", which is not supported", did_you_mean(key, known));
    }
  }

  bool boolean(const Json& object, const char* key, const std::string& where, bool fallback) const {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) return fallback;
    if (!found->is_boolean()) refuse(where, ".", key, " must be true or false, got ", shown(*found));
    return found->get<bool>();
  }

  void require_null(const Json& object, const char* key) const {
    const auto found = object.find(key);
    if (found != object.end() && !found->is_null())
      refuse(key, " is not supported, must be null, got ", type_or_value(*found));
  }

  /// Absent, null or an empty string.
  void require_empty(const Json& object, const char* key, const std::string& where) const {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null() ||
        (found->is_string() && found->get_ref<const std::string&>().empty()))
      return;
    refuse(where, ".", key, " is not supported, must be null, got ", shown(*found));
  }

  TokenId id(const Json& value, const std::string& token) const {
    if (!value.is_number_integer() || (value.is_number_unsigned() && value.get<std::uint64_t>() >= kMaxTokenIds) ||
        value.get<std::int64_t>() < 0 || value.get<std::int64_t>() >= kMaxTokenIds)
      refuse("the id of token ", quoted(token), " must be a whole number in [0, ", kMaxTokenIds, "), got ",
             shown(value));
    return value.get<TokenId>();
  }

  static std::string shown(const Json& value) {
    std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.size() > 60) text = text.substr(0, complete_utf8_prefix(std::string_view(text).substr(0, 60))) + "...";
    return text;
  }

  /// {"type": "Metaspace", ...} is best named by its type.
  static std::string type_or_value(const Json& value) {
    if (value.is_object()) {
      if (const auto type = value.find("type"); type != value.end()) return shown(*type);
    }
    return shown(value);
  }

 private:
  const std::string& origin_;
};

void read_byte_level(const Reader& reader, const Json& document, const char* key, bool may_be_null, Json& found) {
  const auto part = document.find(key);
  found = part == document.end() ? Json() : *part;
  if (found.is_null() && may_be_null) return;
  if (!found.is_object() || found.value("type", Json()) != "ByteLevel")
    reader.refuse(key, " must be ", may_be_null ? "null or " : "", "\"ByteLevel\", got ", Reader::type_or_value(found));
  reader.require_known_keys(found, key, {"type", "add_prefix_space", "trim_offsets", "use_regex"});
}

void read_vocabulary(const Reader& reader, const Json& model, TokenizerSpec& spec) {
  const auto vocabulary = model.find("vocab");
  if (vocabulary == model.end()) reader.refuse("model.vocab is missing");
  reader.require_object(*vocabulary, "model.vocab");
  spec.vocabulary.reserve(vocabulary->size());
  for (const auto& [token, id] : vocabulary->items()) spec.vocabulary.emplace_back(token, reader.id(id, token));
}

void read_merges(const Reader& reader, const Json& model, TokenizerSpec& spec) {
  const auto merges = model.find("merges");
  if (merges == model.end()) reader.refuse("model.merges is missing");
  if (!merges->is_array()) reader.refuse("model.merges must be an array, got ", Reader::shown(*merges));
  spec.merges.reserve(merges->size());
  for (const Json& merge : *merges) {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      spec.merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
      continue;
    }
    if (merge.is_string()) {
      const std::string& text = merge.get_ref<const std::string&>();
      if (text.starts_with("#version") && spec.merges.empty()) continue;  // the head line of a merges.txt
      const std::size_t space = text.find(' ');
      if (space != std::string::npos && text.find(' ', space + 1) == std::string::npos) {
        spec.merges.emplace_back(text.substr(0, space), text.substr(space + 1));
        continue;
      }
    }
    reader.refuse("model.merges[", spec.merges.size(), "] must be \"a b\" or [\"a\", \"b\"], got ",
                  Reader::shown(merge));
  }
}

void read_model(const Reader& reader, const Json& document, TokenizerSpec& spec) {
  const auto found = document.find("model");
  if (found == document.end()) reader.refuse("model is missing");
  const Json& model = *found;
  reader.require_object(model, "model");
  // Files from before the types had names have none.
  if (const auto type = model.find("type"); type != model.end() && *type != "BPE")
    reader.refuse("model.type must be \"BPE\", got ", Reader::shown(*type));
  reader.require_known_keys(model, "model",
                            {"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
                             "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"});
  if (const auto dropout = model.find("dropout");
      dropout != model.end() && !dropout->is_null() && !(dropout->is_number() && *dropout == 0))
    reader.refuse("model.dropout is not supported, must be null or 0, got ", Reader::shown(*dropout));
  reader.require_empty(model, "continuing_subword_prefix", "model");
  reader.require_empty(model, "end_of_word_suffix", "model");
  spec.ignore_merges = reader.boolean(model, "ignore_merges", "model", false);
  // All bytes are tokens (checked with the vocabulary), so no character is unknown and these three do nothing.
  reader.boolean(model, "fuse_unk", "model", false);
  reader.boolean(model, "byte_fallback", "model", false);
  if (const auto unknown = model.find("unk_token");
      unknown != model.end() && !unknown->is_null() && !unknown->is_string())
    reader.refuse("model.unk_token must be null or a token, got ", Reader::shown(*unknown));
  read_vocabulary(reader, model, spec);
  read_merges(reader, model, spec);
}

void read_added_tokens(const Reader& reader, const Json& document, TokenizerSpec& spec) {
  const auto found = document.find("added_tokens");
  if (found == document.end() || found->is_null()) return;
  if (!found->is_array()) reader.refuse("added_tokens must be an array, got ", Reader::shown(*found));
  for (const Json& entry : *found) {
    const std::string where = "added_tokens[" + std::to_string(spec.added.size()) + "]";
    reader.require_known_keys(entry, where,
                              {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    const auto content = entry.find("content");
    if (content == entry.end() || !content->is_string() || content->get_ref<const std::string&>().empty())
      reader.refuse(where, ".content must be text that is not empty");
    AddedToken token;
    token.content = content->get<std::string>();
    if (token.content.size() > kMaxAddedTokenBytes)
      reader.refuse(where, ".content has ", token.content.size(), " bytes, at most ", kMaxAddedTokenBytes, " fit");
    token.id = reader.id(entry.value("id", Json()), token.content);
    token.lstrip = reader.boolean(entry, "lstrip", where, false);
    token.rstrip = reader.boolean(entry, "rstrip", where, false);
    token.special = reader.boolean(entry, "special", where, false);
    token.normalized = reader.boolean(entry, "normalized", where, !token.special);
    if (reader.boolean(entry, "single_word", where, false))
      reader.refuse(where, ".single_word is not supported, must be false: token ", quoted(token.content));
    spec.added.push_back(std::move(token));
  }
}

std::string json_string(const std::string& text) { return Json(text).dump(); }

}  // namespace

std::string quoted(const std::string& token) { return Reader::shown(Json(token)); }

TokenizerSpec parse_tokenizer_json(const std::string& json, const std::string& origin) {
  const Reader reader(origin);
  const Json document = reader.document(json);
  reader.require_known_keys(document, "the top level",
                            {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
                             "post_processor", "decoder", "model"});
  if (const auto version = document.find("version"); version != document.end() && *version != "1.0")
    reader.refuse("version must be \"1.0\", got ", Reader::shown(*version));
  for (const char* key : {"truncation", "padding", "normalizer"}) reader.require_null(document, key);

  TokenizerSpec spec;
  Json part;
  read_byte_level(reader, document, "pre_tokenizer", /*may_be_null=*/false, part);
  spec.add_prefix_space = reader.boolean(part, "add_prefix_space", "pre_tokenizer", true);
  spec.use_pattern = reader.boolean(part, "use_regex", "pre_tokenizer", true);
  read_byte_level(reader, document, "decoder", /*may_be_null=*/false, part);
  read_byte_level(reader, document, "post_processor", /*may_be_null=*/true, part);  // touches offsets alone
  read_model(reader, document, spec);
  read_added_tokens(reader, document, spec);
  return spec;
}

std::string write_tokenizer_json(const TokenizerSpec& spec) {
  const auto flag = [](bool value) { return value ? "true" : "false"; };
  std::string text = R"({
  "version": "1.0",
  "truncation": null,
  "padding": null,
  "added_tokens": [)";
  const char* separator = "\n";
  for (const AddedToken& token : spec.added) {
    text += separator;
    text += "    {\"id\": " + std::to_string(token.id) + ", \"content\": " + json_string(token.content) +
            ", \"single_word\": false, \"lstrip\": " + flag(token.lstrip) + ", \"rstrip\": " + flag(token.rstrip) +
            ", \"normalized\": " + flag(token.normalized) + ", \"special\": " + flag(token.special) + "}";
    separator = ",\n";
  }
  text += R"(
  ],
  "normalizer": null,
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": )";
  text += flag(spec.add_prefix_space);
  text += R"(, "trim_offsets": true, "use_regex": )";
  text += flag(spec.use_pattern);
  text += R"(},
  "post_processor": null,
  "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
  "model": {
    "type": "BPE",
    "dropout": null,
    "unk_token": null,
    "continuing_subword_prefix": null,
    "end_of_word_suffix": null,
    "fuse_unk": false,
    "byte_fallback": false,
    "ignore_merges": )";
  text += flag(spec.ignore_merges);
  text += ",\n    \"vocab\": {";
  separator = "\n";
  for (const auto& [token, id] : spec.vocabulary) {
    text += separator;
    text += "      " + json_string(token) + ": " + std::to_string(id);
    separator = ",\n";
  }
  text += "\n    },\n    \"merges\": [";
  separator = "\n";
  for (const auto& [left, right] : spec.merges) {
    text += separator;
    text += "      [" + json_string(left) + ", " + json_string(right) + "]";
    separator = ",\n";
  }
  text += "\n    ]\n  }\n}\n";
  return text;
}

}  // namespace trireme::data
