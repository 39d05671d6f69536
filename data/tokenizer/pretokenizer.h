#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/aligned_text.h"
#include "data/tokenizer/json_reader.h"
#include "data/tokenizer/word_scanner.h"

namespace trireme::data {

/// A stretch of an AlignedText that goes to the model on its own: bytes [begin, end).
struct Piece {
  std::size_t begin, end;
};

/// Text on its way through the pre-tokenizers.
struct PieceList {
  AlignedText text;
  std::vector<Piece> pieces;  ///< in order; what lies between them goes nowhere

  std::string_view of(Piece piece) const { return text.text().substr(piece.begin, piece.end - piece.begin); }
};

/// Cuts text into pieces. One of tokenizer.json's pre-tokenizers, or a sequence of them.
class Pretokenizer {
 public:
  /// Memory that it needs, kept from text to text.
  struct Scratch {
    TextChange::Scratch change;
    std::vector<Piece> pieces;
  };

  virtual ~Pretokenizer() = default;
  virtual void cut(PieceList& list, Scratch& scratch) const = 0;

  /// @param part  null gives none
  /// @param as_bytes  "ByteLevel" leaves bytes as they are, where a model that knows all 256 comes behind
  static std::unique_ptr<Pretokenizer> make(const JsonReader& reader, const nlohmann::json& part,
                                            const std::string& where, bool as_bytes);
};

/// What of a pre_tokenizer is known before it is made.
struct PretokenizerOutline {
  /// It ends with "ByteLevel", so that a model sees bytes in their alphabet.
  bool ends_in_bytes = false;
  /// It is "ByteLevel", maybe behind one of the patterns that a scanner knows: pieces of the text as it is.
  std::optional<WordScanner> scanner;
  /// Before that, a space goes in front of a text that has none.
  bool add_prefix_space = false;

  static PretokenizerOutline of(const JsonReader& reader, const nlohmann::json& part);
};

}  // namespace trireme::data
