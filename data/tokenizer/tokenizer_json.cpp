#include "data/tokenizer/tokenizer_json.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace trireme::data {
namespace {

using Json = nlohmann::json;

std::string json_string(const std::string& text) { return Json(text).dump(); }

}  // namespace

std::vector<AddedToken> read_added_tokens(const JsonReader& reader, const Json& document) {
  std::vector<AddedToken> added;
  const auto found = document.find("added_tokens");
  if (found == document.end() || found->is_null()) return added;
  if (!found->is_array()) reader.refuse("added_tokens must be an array, got ", JsonReader::shown(*found));
  for (const Json& entry : *found) {
    const std::string where = "added_tokens[" + std::to_string(added.size()) + "]";
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
    token.single_word = reader.boolean(entry, "single_word", where, false);
    added.push_back(std::move(token));
  }
  return added;
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
            ", \"single_word\": " + flag(token.single_word) + ", \"lstrip\": " + flag(token.lstrip) +
            ", \"rstrip\": " + flag(token.rstrip) + ", \"normalized\": " + flag(token.normalized) +
            ", \"special\": " + flag(token.special) + "}";
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
