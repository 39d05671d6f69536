// tokenizer.json, and behind a NUL a text to encode. Whatever the file asks for: ids do not depend on caches or on
// whether spans are asked for, spans lie in the text, plain text has no special token, and a stream of tokens gives
// whole characters. Where the file asks for nothing that does not come back, text is the same after it was encoded and
// decoded.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/text.h"
#include "data/tokenizer/byte_alphabet.h"
#include "data/tokenizer/tokenizer.h"
#include "tests/fuzz/fuzz.h"

using namespace trireme::data;
using trireme::fuzz::require;
using Json = nlohmann::json;

namespace {

// "*": 0 stands for the 256 bytes, so that an input can be small and a change of it hits something else.
std::string with_bytes(std::string_view file) {
  constexpr std::string_view kMark = "\"*\": 0";
  std::string json(file);
  const std::size_t at = json.find(kMark);
  if (at == std::string::npos) return json;
  std::string entries;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string escape = byte == '"' || byte == '\\' ? "\\" : "";
    entries += (byte > 0 ? ", \"" : "\"") + escape + spell_bytes(std::string(1, static_cast<char>(byte))) +
               "\": " + std::to_string(byte);
  }
  return json.replace(at, kMark.size(), entries);
}

/// What of a file decides on what must hold.
class File {
 public:
  explicit File(const std::string& text) : json_(Json::parse(text)) {}

  /// It may ask for a space before each text, for other characters, or for added tokens that swallow white space.
  bool gives_text_back() const {
    const Json before = part("pre_tokenizer");
    const auto is_bytes = [](const Json& json) { return json.is_object() && json["type"] == "ByteLevel"; };
    if (!is_bytes(before) || !before.contains("add_prefix_space") || before["add_prefix_space"] != false ||
        !is_bytes(part("decoder")) || !part("normalizer").is_null() || !json_["model"].contains("merges"))
      return false;
    for (const Json& token : added())
      for (const char* key : {"lstrip", "rstrip"})
        if (token.contains(key) && token[key] == true) return false;
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
      if (json_["model"].contains(key) && !json_["model"][key].is_null()) return false;
    for (int byte = 0; byte < 256; ++byte)
      if (!json_["model"]["vocab"].contains(spell_bytes(std::string(1, static_cast<char>(byte))))) return false;
    return true;
  }

  /// The model knows no special token, and so makes none of plain text.
  bool keeps_special_apart() const {
    return json_["model"]["vocab"].is_object() && std::ranges::none_of(added(), [&](const Json& token) {
             return json_["model"]["vocab"].contains(token["content"].get<std::string>());
           });
  }

 private:
  Json part(const char* key) const { return json_.contains(key) ? json_[key] : Json(); }
  Json added() const { return part("added_tokens").is_null() ? Json::array() : part("added_tokens"); }

  Json json_;
};

void check_stream(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  Tokenizer::DecodeStream stream(tokenizer);
  std::string streamed;
  for (const TokenId id : ids) {
    const std::string more = stream.push(id);
    require(trireme::is_utf8(more), "a stream gives whole characters", more);
    streamed += more;
  }
  streamed += stream.finish();
  const std::string whole = trireme::well_formed_utf8(tokenizer.decode(ids));
  if (whole.find("\xEF\xBF\xBD") == std::string::npos)
    require(streamed == whole, "a stream gives the text", streamed + " | " + whole);
  Tokenizer::DecodeStream behind(tokenizer);
  behind.prime(ids);
  for (const TokenId id : ids) behind.push(id);
  behind.finish();
}

void check_encoding(const Tokenizer& tokenizer, const File& file, std::string_view text) {
  for (const SpecialText special : {SpecialText::kParse, SpecialText::kPlain}) {
    for (const bool around : {false, true}) {
      const EncodingOptions options{special, around, /*truncate=*/around};
      const std::vector<TokenId> ids = tokenizer.encode(text, options);
      require(ids == tokenizer.encode(text, options), "words from the cache have the same ids");
      const Encoding encoding = tokenizer.encode_with_spans(text, options);
      require(ids == encoding.ids, "ids are the same with spans");
      require(ids.size() == encoding.spans.size(), "each token has a span");
      for (const TextSpan span : encoding.spans)
        require(span.begin <= span.end && span.end <= text.size(), "a span lies in the text");
      check_stream(tokenizer, ids);
      if (around) continue;
      if (file.gives_text_back()) require(tokenizer.decode(ids) == text, "decode(encode(text)) is the text");
      if (special == SpecialText::kPlain && file.keeps_special_apart())
        require(std::none_of(ids.begin(), ids.end(), [&](TokenId id) { return tokenizer.is_special(id); }),
                "plain text has no special token");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [file, text] = trireme::fuzz::halves(data, size);
  const std::string json = with_bytes(file);
  trireme::fuzz::accepts([&, text = text] {
    const Tokenizer tokenizer = Tokenizer::parse(json, "tokenizer.json");
    check_encoding(tokenizer, File(json), text);
  });
  return 0;
}
