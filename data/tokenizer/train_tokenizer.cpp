#include "data/tokenizer/train_tokenizer.h"

#include <algorithm>
#include <queue>
#include <unordered_map>
#include <vector>

#include "core/base/error.h"
#include "data/tokenizer/byte_alphabet.h"
#include "data/tokenizer/vocabulary.h"

namespace trireme::data {
namespace {

constexpr const char* kEndOfText = "<|endoftext|>";

using Pair = std::uint64_t;  // left id above, right id below: compares as the pair of ids does
Pair pair_of(TokenId left, TokenId right) {
  return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
}
TokenId left_of(Pair pair) { return static_cast<TokenId>(pair >> 32); }
TokenId right_of(Pair pair) { return static_cast<TokenId>(pair & 0xFFFFFFFF); }

struct PairHash {
  std::size_t operator()(Pair pair) const {
    const std::uint64_t mixed = pair * 0x9E3779B97F4A7C15u;
    return mixed ^ mixed >> 32;
  }
};

struct Word {
  std::vector<TokenId> tokens;
  std::int64_t count;
};

/// A pair in the queue, with the words that held it when it was queued. Its count may be out of date.
struct Candidate {
  std::int64_t count;
  Pair pair;
  std::vector<std::uint32_t> words;
};
bool operator<(const Candidate& a, const Candidate& b) {
  return a.count != b.count ? a.count < b.count : a.pair > b.pair;
}

class Learner {
 public:
  explicit Learner(const TokenizerTraining& training) : training_(training) {
    add_special_token(kEndOfText);
    for (const std::string& content : training_.special_tokens) add_special_token(content);
    // In the order of the characters that spell them, which is not that of the bytes.
    std::vector<std::pair<char32_t, int>> alphabet;
    alphabet.reserve(256);
    for (int byte = 0; byte < 256; ++byte)
      alphabet.emplace_back(alphabet_character(static_cast<unsigned char>(byte)), byte);
    std::sort(alphabet.begin(), alphabet.end());
    for (const auto& [character, byte] : alphabet)
      byte_token_[byte] = add_token(spell_bytes(std::string(1, static_cast<char>(byte))));
  }

  void add_word(std::string_view bytes, std::uint64_t count) {
    Word word{{}, static_cast<std::int64_t>(count)};
    word.tokens.reserve(bytes.size());
    for (const char byte : bytes) word.tokens.push_back(byte_token_[static_cast<unsigned char>(byte)]);
    words_.push_back(std::move(word));
  }

  TokenizerSpec learn(const std::function<void()>& between_merges) {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      const std::vector<TokenId>& tokens = words_[i].tokens;
      for (std::size_t at = 0; at + 1 < tokens.size(); ++at)
        note(pair_of(tokens[at], tokens[at + 1]), words_[i].count, static_cast<std::uint32_t>(i));
    }
    queue_touched();
    while (static_cast<std::int64_t>(spelling_.size()) < training_.vocabulary_size && !queue_.empty()) {
      Candidate best = std::move(const_cast<Candidate&>(queue_.top()));  // popped at once, so the order does not matter
      queue_.pop();
      if (const std::int64_t now = count_[best.pair]; best.count != now) {
        best.count = now;
        queue_.push(std::move(best));
        continue;
      }
      if (best.count < 1 || best.count < training_.min_frequency) break;
      between_merges();
      const TokenId result = add_token(spelling_[index(left_of(best.pair))] + spelling_[index(right_of(best.pair))]);
      merges_.push_back(best.pair);
      for (const std::uint32_t word : best.words) merge(word, best.pair, result);
      queue_touched();
    }
    return spec();
  }

 private:
  static std::size_t index(TokenId id) { return static_cast<std::size_t>(id); }

  /// A new id, or the one that another merge has given to the same text.
  TokenId add_token(const std::string& spelling) {
    const auto [known, is_new] = id_.emplace(spelling, static_cast<TokenId>(spelling_.size()));
    if (is_new) spelling_.push_back(spelling);
    return known->second;
  }

  void add_special_token(const std::string& content) {
    special_.push_back({.id = add_token(content), .content = content, .normalized = false, .special = true});
  }

  void note(Pair pair, std::int64_t change, std::uint32_t word) {
    count_[pair] += change;
    if (change <= 0) return;
    std::vector<std::uint32_t>& words = touched_[pair];
    if (words.empty() || words.back() != word) words.push_back(word);  // words come in order
  }

  void queue_touched() {
    for (auto& [pair, words] : touched_) {
      if (const std::int64_t count = count_[pair]; count > 0) queue_.push({count, pair, std::move(words)});
    }
    touched_.clear();
  }

  void merge(std::uint32_t at_word, Pair pair, TokenId result) {
    auto& [tokens, count] = words_[at_word];
    const TokenId left = left_of(pair), right = right_of(pair);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (!(tokens[i] == left && i + 1 < tokens.size() && tokens[i + 1] == right)) {
        tokens[kept++] = tokens[i];
        continue;
      }
      if (kept > 0) {
        note(pair_of(tokens[kept - 1], left), -count, at_word);
        note(pair_of(tokens[kept - 1], result), count, at_word);
      }
      ++i;
      if (i + 1 < tokens.size()) {
        note(pair_of(right, tokens[i + 1]), -count, at_word);
        note(pair_of(result, tokens[i + 1]), count, at_word);
      }
      tokens[kept++] = result;
    }
    tokens.resize(kept);
  }

  TokenizerSpec spec() const {
    TokenizerSpec spec;
    spec.added = special_;
    for (std::size_t id = 0; id < spelling_.size(); ++id)
      spec.vocabulary.emplace_back(spelling_[id], static_cast<TokenId>(id));
    // A pair can be learned twice, when its count grows through another merge that gives the same text. The later place
    // holds, as in PyPI's tokenizers.
    std::unordered_map<Pair, std::size_t, PairHash> last;
    for (std::size_t rank = 0; rank < merges_.size(); ++rank) last[merges_[rank]] = rank;
    for (std::size_t rank = 0; rank < merges_.size(); ++rank) {
      const Pair pair = merges_[rank];
      if (last[pair] == rank)
        spec.merges.emplace_back(spelling_[index(left_of(pair))], spelling_[index(right_of(pair))]);
    }
    return spec;
  }

  TokenizerTraining training_;
  std::array<TokenId, 256> byte_token_{};
  std::vector<AddedToken> special_;
  std::vector<std::string> spelling_;  // by id
  std::unordered_map<std::string, TokenId, TextHash, std::equal_to<>> id_;
  std::vector<Word> words_;
  std::unordered_map<Pair, std::int64_t, PairHash> count_;
  std::unordered_map<Pair, std::vector<std::uint32_t>, PairHash> touched_;  // since the queue was last filled
  std::priority_queue<Candidate> queue_;
  std::vector<Pair> merges_;
};

// "<|name|>". A letter behind the bar: words are cut there, so no merge ever gives the same text.
bool is_special_form(std::string_view content) {
  if (content.size() < 5 || content.size() > kMaxAddedTokenBytes || !content.starts_with("<|") ||
      !content.ends_with("|>"))
    return false;
  const std::string_view name = content.substr(2, content.size() - 4);
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return is_letter(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-';
         });
}

}  // namespace

void validate(const TokenizerTraining& training) {
  const std::vector<std::string>& special = training.special_tokens;
  for (std::size_t i = 0; i < special.size(); ++i) {
    if (!is_special_form(special[i]))
      throw Error(ErrorCode::kUsage, "a special token must look like <|name|>, with a name of letters, digits, _ and -",
                  " that begins with a letter, got ", quoted(special[i]));
    if (special[i] == kEndOfText || std::find(special.begin(), special.begin() + static_cast<std::ptrdiff_t>(i),
                                              special[i]) != special.begin() + static_cast<std::ptrdiff_t>(i))
      throw Error(ErrorCode::kUsage, "special token ", special[i],
                  special[i] == kEndOfText ? " is there already" : " is given twice");
  }
  const std::int64_t smallest = 257 + static_cast<std::int64_t>(special.size());
  if (training.vocabulary_size < smallest || training.vocabulary_size > kMaxTokenIds)
    throw Error(ErrorCode::kUsage, "vocabulary size must lie in [", smallest, ", ", kMaxTokenIds, "] (256 bytes and ",
                1 + special.size(), special.empty() ? " special token" : " special tokens", "), got ",
                training.vocabulary_size);
  if (training.min_frequency < 0)
    throw Error(ErrorCode::kUsage, "minimal frequency must be 0 or more, got ", training.min_frequency);
}

std::string learn_tokenizer(const TokenizerTraining& training, const WordCounts& words,
                            const std::function<void()>& between_merges) {
  validate(training);
  Learner learner(training);
  words.for_each([&](std::string_view word, std::uint64_t count) { learner.add_word(word, count); });
  return write_tokenizer_json(learner.learn(between_merges));
}

}  // namespace trireme::data
