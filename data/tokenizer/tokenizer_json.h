#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/tokenizer/tokenizer.h"

namespace trireme::data {

/// A token that is cut out of the text before anything else sees it.
struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool lstrip = false;     ///< takes the white space before it along
  bool rstrip = false;     ///< and after it
  bool normalized = true;  ///< found in what the tokens with false have left
  bool special = false;
};

/// What a tokenizer.json says, as far as it changes ids: byte-level byte-pair encoding. Tokens are spelled as in the
/// file (byte_alphabet.h).
struct TokenizerSpec {
  bool add_prefix_space = false;
  bool use_pattern = true;
  bool ignore_merges = false;
  std::vector<std::pair<std::string, TokenId>> vocabulary;  ///< by id when written
  std::vector<std::pair<std::string, std::string>> merges;  ///< most urgent first
  std::vector<AddedToken> added;
};

/// Ids lie in [0, kMaxTokenIds): a damaged file must not make us take memory for 2^31 tokens.
inline constexpr std::int64_t kMaxTokenIds = 1 << 22;
/// No real file comes near; a larger one is refused before it is parsed.
inline constexpr std::uint64_t kMaxTokenizerBytes = 256u << 20;
inline constexpr int kMaxTokenizerDepth = 32;
inline constexpr std::size_t kMaxAddedTokenBytes = 1024;

/// Reads Hugging Face's format. Whatever would change ids and is not supported is refused by name, and so is a key that
/// is not known, since it might.
/// @param origin  named in messages
/// @throws Error kBadInput
TokenizerSpec parse_tokenizer_json(const std::string& json, const std::string& origin);

/// The file that PyPI's tokenizers would write for the same tokenizer, up to white space.
std::string write_tokenizer_json(const TokenizerSpec& spec);

/// A token as a message shows it: in quotes, on one line, cut when long.
std::string quoted(const std::string& token);

}  // namespace trireme::data
