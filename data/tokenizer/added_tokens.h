#pragma once
#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "data/tokenizer/tokenizer_json.h"

namespace trireme::data {

/// Finds added tokens in text: the leftmost, and of those that begin there the longest. In two passes, as Hugging
/// Face's tokenizers: first those with `normalized: false`, then the others in what is left.
class AddedTokens {
 public:
  /// @throws Error kBadInput  one content twice
  AddedTokens(const std::vector<AddedToken>& tokens, const std::string& origin);

  /// Cuts `text` up and calls `plain(std::string_view)` or `token(TokenId)` for each part, in order. Parts are not
  /// empty.
  template <class Plain, class Token>
  void split(std::string_view text, SpecialText special, Plain&& plain, Token&& token) const {
    passes_[0].split(
        text, special, [&](std::string_view rest) { passes_[1].split(rest, special, plain, token); }, token);
  }

 private:
  struct Match {
    const AddedToken* token;
    std::size_t begin, end;  // with the white space that it takes along
  };

  class Pass {
   public:
    void add(const AddedToken& token) { tokens_.push_back(token); }
    void finish(const std::string& origin);

    template <class Plain, class Token>
    void split(std::string_view text, SpecialText special, Plain&& plain, Token&& token) const {
      std::size_t done = 0;
      if (!tokens_.empty()) {
        for (std::size_t from = 0; const auto match = find(text, from, done, special);) {
          if (match->begin > done) plain(text.substr(done, match->begin - done));
          token(match->token->id);
          done = match->end;
          from = match->end;
        }
      }
      if (done < text.size()) plain(text.substr(done));
    }

   private:
    std::optional<Match> find(std::string_view text, std::size_t from, std::size_t done, SpecialText special) const;
    const AddedToken* longest_at(std::string_view text) const;

    std::vector<AddedToken> tokens_;  // by content
    std::array<bool, 256> may_begin_{};
    char only_begin_ = 0;  // when all tokens begin with one byte, which memchr finds
  };

  std::array<Pass, 2> passes_;
};

}  // namespace trireme::data
