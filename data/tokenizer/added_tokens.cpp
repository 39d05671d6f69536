#include "data/tokenizer/added_tokens.h"

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "data/tokenizer/char_sets.h"
#include "data/tokenizer/unicode_classes.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data {
namespace {

std::size_t leading_space(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() && is_white_space(utf8_step(text.substr(size)))) size += utf8_step(text.substr(size)).size;
  return size;
}

std::size_t trailing_space(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size()) {
    const Utf8Step step = utf8_step_back(text.substr(0, text.size() - size));
    if (!is_white_space(step)) break;
    size += step.size;
  }
  return size;
}

bool is_word(Utf8Step step) { return step.is_valid() && is_in(CharSet::kWord, step.code); }
bool begins_with_word(std::string_view text) { return !text.empty() && is_word(utf8_step(text)); }
bool ends_in_word(std::string_view text) { return !text.empty() && is_word(utf8_step_back(text)); }

}  // namespace

AddedTokens::AddedTokens(const std::vector<AddedToken>& tokens, const Normalizer* normalizer,
                         const std::string& origin) {
  TextChange::Scratch scratch;
  for (AddedToken token : tokens) {
    if (token.normalized && normalizer != nullptr) {
      AlignedText content;
      content.assign(token.content, 0);
      normalizer->normalize(content, scratch);
      if (content.text() != token.content) normalized_[token.id] = token.content = content.text();
    }
    if (!token.content.empty()) passes_[token.normalized ? 1 : 0].add(std::move(token));
  }
  for (Pass& pass : passes_) pass.finish(origin);
}

void AddedTokens::Pass::finish(const std::string& origin) {
  std::sort(tokens_.begin(), tokens_.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; });
  for (std::size_t i = 1; i < tokens_.size(); ++i) {
    if (tokens_[i].content == tokens_[i - 1].content)
      throw Error(ErrorCode::kBadInput, origin, ": added token ", quoted(tokens_[i].content), " is there twice");
  }
  for (const AddedToken& token : tokens_) may_begin_[static_cast<unsigned char>(token.content[0])] = true;
  if (std::count(may_begin_.begin(), may_begin_.end(), true) == 1) only_begin_ = tokens_[0].content[0];
}

/// Narrows the sorted tokens byte by byte: all in [low, high) share the bytes read so far.
const AddedToken* AddedTokens::Pass::longest_at(std::string_view text) const {
  const AddedToken* longest = nullptr;
  auto low = tokens_.begin(), high = tokens_.end();
  for (std::size_t depth = 0; low != high; ++depth) {
    if (low->content.size() == depth) longest = &*low++;  // a content that ends here sorts first
    if (depth == text.size()) break;
    const auto byte_at = [depth](const AddedToken& token) { return static_cast<unsigned char>(token.content[depth]); };
    const auto byte = static_cast<unsigned char>(text[depth]);
    low = std::partition_point(low, high, [&](const AddedToken& token) { return byte_at(token) < byte; });
    high = std::partition_point(low, high, [&](const AddedToken& token) { return byte_at(token) == byte; });
  }
  return longest;
}

std::optional<AddedTokens::Pass::Match> AddedTokens::Pass::find(std::string_view text, std::size_t from,
                                                                std::size_t done, SpecialText special) const {
  while (from < text.size()) {
    if (only_begin_ != 0) {
      const void* found = std::memchr(text.data() + from, only_begin_, text.size() - from);
      if (found == nullptr) return std::nullopt;
      from = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
    } else if (!may_begin_[static_cast<unsigned char>(text[from])]) {
      ++from;
      continue;
    }
    const AddedToken* token = longest_at(text.substr(from));
    if (token == nullptr) {
      ++from;
      continue;
    }
    Match match{token, from, from + token->content.size()};
    const bool is_within_word =
        token->single_word && (ends_in_word(text.substr(0, match.begin)) || begins_with_word(text.substr(match.end)));
    if (is_within_word || (token->special && special == SpecialText::kPlain)) {
      from = match.end;
      continue;
    }
    if (token->lstrip) match.begin -= trailing_space(text.substr(done, from - done));
    if (token->rstrip) match.end += leading_space(text.substr(match.end));
    return match;
  }
  return std::nullopt;
}

}  // namespace trireme::data
