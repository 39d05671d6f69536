#pragma once
#include <string>
#include <utility>
#include <vector>

#include "data/tokenizer/json_reader.h"
#include "data/tokenizer/tokenizer.h"

namespace trireme::data {

inline constexpr std::size_t kMaxAddedTokenBytes = 1024;

/// A token that is cut out of the text before anything else sees it.
struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool single_word = false;  ///< not found within a word
  bool lstrip = false;       ///< takes the white space before it along
  bool rstrip = false;       ///< and after it
  bool normalized = true;    ///< found in what the tokens with false have left, as the normalizer gives it
  bool special = false;
};

/// "added_tokens" of a tokenizer.json.
/// @throws Error kBadInput
std::vector<AddedToken> read_added_tokens(const JsonReader& reader, const nlohmann::json& document);

/// A tokenizer that was trained here: byte-level byte-pair encoding. Tokens are spelled as in the file
/// (byte_alphabet.h).
struct TokenizerSpec {
  bool add_prefix_space = false;
  bool use_pattern = true;
  bool ignore_merges = false;
  std::vector<std::pair<std::string, TokenId>> vocabulary;  ///< by id
  std::vector<std::pair<std::string, std::string>> merges;  ///< most urgent first
  std::vector<AddedToken> added;
};

/// The file that PyPI's tokenizers would write for the same tokenizer, up to white space.
std::string write_tokenizer_json(const TokenizerSpec& spec);

}  // namespace trireme::data
