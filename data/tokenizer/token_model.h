#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/tokenizer/aligned_text.h"
#include "data/tokenizer/json_reader.h"
#include "data/tokenizer/vocabulary.h"

namespace trireme::data {

/// What makes tokens of a piece of text: byte-pair encoding, Unigram, WordPiece or whole words.
class TokenModel {
 public:
  /// Memory that encoding needs, kept from piece to piece.
  struct Scratch {
    std::vector<TokenId> ids;
    std::vector<std::uint32_t> size, rank, next, previous;
    std::vector<std::uint64_t> heap;
    std::vector<double> score;
    std::string text;
  };

  virtual ~TokenModel() = default;
  /// Appends the tokens of a piece, which is not empty.
  /// @param spans  where not null, the bytes of the piece that each stands for
  /// @throws Error kBadInput  the piece has 4 GiB or more, or text that has no token where there is none for the
  /// unknown
  virtual void encode(std::string_view piece, std::vector<TokenId>& ids, std::vector<TextSpan>* spans,
                      Scratch& scratch) const = 0;

  /// Bytes of the first part of a piece, which is not empty, that has the same tokens on its own and leaves the rest
  /// theirs: short parts repeat, and their tokens are remembered.
  virtual std::size_t first_part(std::string_view piece) const { return piece.size(); }

  /// The token for the unknown, where PyPI's tokenizers call it by the text that it stands for: white space at its ends
  /// may not count then.
  virtual std::optional<TokenId> unknown_as_it_is() const { return std::nullopt; }

  /// Tokens by id, as model.vocab spells them.
  using Tokens = std::vector<std::pair<std::string, TokenId>>;
  static Tokens read_tokens(const JsonReader& reader, const nlohmann::json& model);
  /// @param vocabulary  of these tokens; outlives the model
  /// @param as_bytes    pieces are bytes, and tokens are spelled in the byte alphabet
  static std::unique_ptr<TokenModel> make(const JsonReader& reader, const nlohmann::json& model,
                                          const Vocabulary& vocabulary, bool as_bytes);
};

/// The ids of "<0x00>" to "<0xFF>"; -1 for those that are no tokens.
std::array<TokenId, 256> fallback_tokens(const Vocabulary& vocabulary);

[[noreturn]] void throw_no_token(std::string_view text);

}  // namespace trireme::data
