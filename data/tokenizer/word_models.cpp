#include "data/tokenizer/word_models.h"

#include "data/tokenizer/utf8.h"

namespace trireme::data {
namespace {

using Json = nlohmann::json;

void put(TokenId id, std::size_t begin, std::size_t end, std::vector<TokenId>& ids, std::vector<TextSpan>* spans) {
  ids.push_back(id);
  if (spans) spans->push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
}

}  // namespace

WordPiece::WordPiece(const JsonReader& reader, const Json& model, const Vocabulary& vocabulary) {
  reader.require_known_keys(model, "model",
                            {"unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"});
  unknown_ = vocabulary.model_id_of(reader.text(model, "unk_token", "model"));
  most_characters_ = reader.count(model, "max_input_chars_per_word", "model", 0, INT32_MAX);
  for (const auto& [token, id] : reader.vocabulary(model))
    if (!token.empty()) trie_.put(token, static_cast<std::uint32_t>(id));
  inside_ = trie_.node_of(reader.text(model, "continuing_subword_prefix", "model"));
}

void WordPiece::encode(std::string_view piece, std::vector<TokenId>& ids, std::vector<TextSpan>* spans,
                       Scratch&) const {
  const std::size_t had = ids.size(), had_spans = spans ? spans->size() : 0;
  std::int64_t characters = 0;
  for_each_character(piece, [&](Utf8Step, std::string_view) { ++characters; });
  std::size_t at = 0;
  while (at < piece.size() && characters <= most_characters_) {
    std::size_t longest = 0;
    std::uint32_t token = 0;
    const auto take = [&](std::size_t size, std::uint32_t id) { longest = size, token = id; };
    if (at == 0)
      trie_.for_each_prefix(piece, take);
    else if (inside_ != PrefixTrie::kNone)
      trie_.for_each_prefix(piece.substr(at), take, inside_);
    if (longest == 0) break;
    put(static_cast<TokenId>(token), at, at + longest, ids, spans);
    at += longest;
  }
  if (at == piece.size()) return;
  ids.resize(had);
  if (spans) spans->resize(had_spans);
  if (!unknown_) throw_no_token(piece);
  put(*unknown_, 0, piece.size(), ids, spans);
}

WordLevel::WordLevel(const JsonReader& reader, const Json& model, const Vocabulary& vocabulary)
    : vocabulary_(vocabulary) {
  reader.require_known_keys(model, "model", {"unk_token", "vocab"});
  unknown_ = vocabulary.model_id_of(reader.text(model, "unk_token", "model"));
}

void WordLevel::encode(std::string_view piece, std::vector<TokenId>& ids, std::vector<TextSpan>* spans,
                       Scratch&) const {
  const auto id = vocabulary_.model_id_of(piece);
  if (!id && !unknown_) throw_no_token(piece);
  put(id ? *id : *unknown_, 0, piece.size(), ids, spans);
}

}  // namespace trireme::data
