#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/tokenizer/normalizer.h"
#include "data/tokenizer/tokenizer_json.h"

namespace trireme::data {

/// Finds added tokens in text: the leftmost, and of those that begin there the longest. In two passes, as Hugging
/// Face's tokenizers: those with `normalized: false` in the text as it is, then the others in what is left and was
/// normalized, which they were too.
class AddedTokens {
 public:
  class Pass;

  /// @param normalizer  null for none
  /// @throws Error kBadInput  one content twice
  AddedTokens(const std::vector<AddedToken>& tokens, const Normalizer* normalizer, const std::string& origin);

  const Pass& before_normalizer() const { return passes_[0]; }
  const Pass& behind_normalizer() const { return passes_[1]; }
  /// What the normalizer makes of a token's content; null where that is nothing else.
  const std::string* normalized(TokenId id) const {
    const auto found = normalized_.find(id);
    return found == normalized_.end() ? nullptr : &found->second;
  }

  class Pass {
   public:
    void add(AddedToken token) { tokens_.push_back(std::move(token)); }
    void finish(const std::string& origin);
    bool any() const { return !tokens_.empty(); }

    /// Cuts `text` up and calls `plain(std::string_view)` or `token(TokenId, std::string_view matched)` for each part,
    /// in order. Parts are not empty.
    template <class Plain, class Token>
    void split(std::string_view text, SpecialText special, Plain&& plain, Token&& token) const {
      std::size_t done = 0;
      if (!tokens_.empty()) {
        for (std::size_t from = 0; const auto match = find(text, from, done, special);) {
          if (match->begin > done) plain(text.substr(done, match->begin - done));
          token(match->token->id, text.substr(match->begin, match->end - match->begin));
          done = match->end;
          from = match->end;
        }
      }
      if (done < text.size()) plain(text.substr(done));
    }

   private:
    struct Match {
      const AddedToken* token;
      std::size_t begin, end;  // with the white space that it takes along
    };
    std::optional<Match> find(std::string_view text, std::size_t from, std::size_t done, SpecialText special) const;
    const AddedToken* longest_at(std::string_view text) const;

    std::vector<AddedToken> tokens_;  // by content
    std::array<bool, 256> may_begin_{};
    char only_begin_ = 0;  // when all tokens begin with one byte, which memchr finds
  };

 private:
  std::unordered_map<TokenId, std::string> normalized_;
  std::array<Pass, 2> passes_;
};

}  // namespace trireme::data
