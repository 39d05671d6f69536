#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace trireme::data {

using TokenId = std::int32_t;

/// What encode does with text that spells a special token, "<|endoftext|>" say.
enum class SpecialText {
  kParse,  ///< it becomes the special id, as with Hugging Face's tokenizers
  kPlain,  ///< it is text like any other: for text from strangers
};

/// Text to token ids and back: byte-level byte-pair encoding as described by a Hugging Face `tokenizer.json`.
///
/// Source: Sennrich et al. 2016, arXiv:1508.07909; the byte alphabet and the pre-tokenizer's pattern are GPT-2's
/// (Radford et al. 2019). Immutable after loading and safe to use from many threads.
///
/// Invalid UTF-8: each maximal run of bytes that is no well-formed UTF-8 is a pre-token of its own and encoded byte by
/// byte through the same merges, so decode(encode(x)) == x for any bytes. (A file may ask for a space before each text,
/// or for added tokens that swallow white space; these do not come back.) docs/formats/tokenizer.md has the rest.
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
  std::vector<TokenId> encode(std::string_view text, SpecialText special = SpecialText::kParse) const;
  /// For many texts.
  class Session;
  /// What a model continues: the ids of `text`, or, for an empty one, the token that begins a new document.
  /// @throws Error kBadInput when there is no such token
  std::vector<TokenId> encode_prompt(std::string_view text) const;
  /// Bytes; special tokens give their text unless skipped. @throws Error kBadInput for an id outside the vocabulary
  std::string decode(std::span<const TokenId> ids, bool skip_special = false) const;
  std::string decode_one(TokenId id) const;

  /// @param token  as tokenizer.json spells it: "Ġthe", not " the"; special tokens are spelled as their text
  std::optional<TokenId> id_of(std::string_view token) const;
  /// The special token that ends a document, "<|endoftext|>", else "<|end_of_text|>" or "</s>"; none if the file has no
  /// such token.
  std::optional<TokenId> end_of_text() const;
  bool is_special(TokenId id) const;

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
  void encode_to(std::string_view text, std::vector<TokenId>& ids, SpecialText special = SpecialText::kParse);

 private:
  const Impl& impl_;
  std::unique_ptr<Workspace> work_;
};

}  // namespace trireme::data
