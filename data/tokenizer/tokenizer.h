#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/aligned_text.h"

namespace trireme::data {

using TokenId = std::int32_t;

/// What encode does with text that spells a special token, "<|endoftext|>" say.
enum class SpecialText {
  kParse,  ///< it becomes the special id, as with Hugging Face's tokenizers
  kPlain,  ///< it is text like any other: for text from strangers
};

struct EncodingOptions {
  SpecialText special = SpecialText::kParse;
  /// The tokens that a file puts around each text ("<s>", "[CLS]" and "[SEP]").
  bool add_special_tokens = true;
  /// To as many tokens as the file's "truncation" says, if it says anything.
  bool truncate = false;
};

/// A text's tokens, and what of it each stands for. Tokens that were put around it stand for no bytes, [0, 0).
struct Encoding {
  std::vector<TokenId> ids;
  std::vector<TextSpan> spans;
};

/// Text to token ids and back, as described by a Hugging Face `tokenizer.json`: byte-pair encoding (of bytes, or as
/// SentencePiece has it), Unigram, WordPiece and whole words, with their normalizers, pre-tokenizers, post-processors
/// and decoders. Ids and offsets are those of PyPI's `tokenizers`; docs/formats/tokenizer.md has what is refused.
/// Immutable after loading and safe to use from many threads.
///
/// Invalid UTF-8: each maximal run of bytes that is no well-formed UTF-8 is a piece of its own. Byte-level encoding
/// merges it like any other, so decode(encode(x)) == x for any bytes (a file may ask for a space before each text, or
/// for added tokens that swallow white space; these do not come back); byte fallback gives a token a byte.
class Tokenizer {
 public:
  /// @throws Error kNotFound, kIo, kBadInput (not JSON, or a part that is not supported, by name)
  static Tokenizer load(const std::filesystem::path& path);
  /// @param origin  named in messages
  static Tokenizer parse(const std::string& json, const std::string& origin);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// The largest id plus one.
  std::int64_t vocabulary_size() const;
  /// @throws Error kBadInput  text that has no token where the file has none for the unknown, or a part of the file
  ///                          that needs too much time or memory for it
  std::vector<TokenId> encode(std::string_view text, const EncodingOptions& options = {}) const;
  Encoding encode_with_spans(std::string_view text, const EncodingOptions& options = {}) const;
  /// For many texts.
  class Session;
  /// What a model continues: the ids of `text`, or, for an empty one, the token that begins a new document.
  /// @throws Error kBadInput when there is no such token
  std::vector<TokenId> encode_prompt(std::string_view text, const EncodingOptions& options = {}) const;
  /// Bytes, UTF-8 or not; special tokens give their text unless skipped. @throws Error kBadInput for an id outside the
  /// vocabulary
  std::string decode(std::span<const TokenId> ids, bool skip_special = false) const;
  /// For ids that come one by one.
  class DecodeStream;

  /// @param token  as tokenizer.json spells it: "Ġthe", not " the"; special tokens are spelled as their text
  std::optional<TokenId> id_of(std::string_view token) const;
  /// The special token that ends a document: "<|endoftext|>", or one of its other common names; none if the file has no
  /// such token.
  std::optional<TokenId> end_of_text() const;
  bool is_special(TokenId id) const;
  /// What encode puts before and behind a text, and ids without that.
  std::span<const TokenId> prefix() const;
  std::span<const TokenId> suffix() const;
  std::span<const TokenId> body(std::span<const TokenId> ids) const;

  /// The tokenizer.json it came from, byte for byte, and its XXH3-128.
  const std::string& json() const;
  std::string hash() const;

 private:
  struct Impl;
  struct Workspace;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Encodes many texts on one thread: what encoding needs, a warm cache above all, is taken once and not for each.
class Tokenizer::Session {
 public:
  /// `tokenizer` outlives it.
  explicit Session(const Tokenizer& tokenizer);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  /// Appends to `ids`.
  void encode_to(std::string_view text, std::vector<TokenId>& ids, const EncodingOptions& options = {});

 private:
  const Impl& impl_;
  std::unique_ptr<Workspace> work_;
};

/// Text of tokens as they come: whole characters, each as soon as it is certain, U+FFFD for bytes that are none. All
/// that it gives together is what decode() gives, made well-formed, save that a run of byte tokens which turns out to
/// be no text keeps the characters at its begin.
class Tokenizer::DecodeStream {
 public:
  /// `tokenizer` outlives it.
  explicit DecodeStream(const Tokenizer& tokenizer, bool skip_special = false);
  ~DecodeStream();
  DecodeStream(DecodeStream&&) noexcept;

  /// Tokens that come before the first one: their text is not given, but what follows depends on it (the first word of
  /// a text may have no space before it). Called first, or not at all.
  void prime(std::span<const TokenId> ids);
  /// @returns what the token adds, often nothing. An id outside of the vocabulary, which models with spare rows have,
  ///          stands for nothing.
  std::string push(TokenId id);
  /// What was held back.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace trireme::data
