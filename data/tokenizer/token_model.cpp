#include "data/tokenizer/token_model.h"

#include <cstdio>
#include <map>

#include "core/base/text.h"
#include "data/tokenizer/bpe.h"
#include "data/tokenizer/unigram.h"
#include "data/tokenizer/word_models.h"

namespace trireme::data {
namespace {

using Json = nlohmann::json;

// Files from before the types had names have none.
Json with_type(const JsonReader& reader, const Json& model) {
  reader.require_object(model, "model");
  if (model.contains("type")) return {{"type", model["type"]}};
  const char* const type = model.contains("merges")                     ? "BPE"
                           : model.contains("max_input_chars_per_word") ? "WordPiece"
                           : model.contains("unk_token")                ? "WordLevel"
                                                                        : "Unigram";
  return {{"type", type}};
}

}  // namespace

TokenModel::Tokens TokenModel::read_tokens(const JsonReader& reader, const Json& model) {
  return with_type(reader, model)["type"] == "Unigram" ? Unigram::read_tokens(reader, model) : reader.vocabulary(model);
}

std::unique_ptr<TokenModel> TokenModel::make(const JsonReader& reader, const Json& model, const Vocabulary& vocabulary,
                                             bool as_bytes) {
  using Make = std::unique_ptr<TokenModel> (*)(const JsonReader&, const Json&, const Vocabulary&, bool);
  const auto plain = []<class Model>() -> Make {
    return [](const JsonReader& from, const Json& json, const Vocabulary& tokens, bool) -> std::unique_ptr<TokenModel> {
      return std::make_unique<Model>(from, json, tokens);
    };
  };
  static const std::map<std::string, Make> kKinds = {
      {"BPE",
       [](const JsonReader& from, const Json& json, const Vocabulary& tokens,
          bool bytes) -> std::unique_ptr<TokenModel> { return std::make_unique<Bpe>(from, json, tokens, bytes); }},
      {"Unigram", plain.operator()<Unigram>()},
      {"WordLevel", plain.operator()<WordLevel>()},
      {"WordPiece", plain.operator()<WordPiece>()},
  };
  return reader.kind_of(with_type(reader, model), "model", kKinds)(reader, model, vocabulary, as_bytes);
}

std::array<TokenId, 256> fallback_tokens(const Vocabulary& vocabulary) {
  std::array<TokenId, 256> tokens;
  for (unsigned byte = 0; byte < 256; ++byte) {
    char spelling[8];
    std::snprintf(spelling, sizeof spelling, "<0x%02X>", byte);
    tokens[byte] = vocabulary.model_id_of(spelling).value_or(-1);
  }
  return tokens;
}

void throw_no_token(std::string_view text) {
  throw Error(ErrorCode::kBadInput, "the tokenizer has no token for \"", one_line(text, 40),
              "\", and none for what is unknown");
}

}  // namespace trireme::data
