#include "data/loader/augmentation.h"

#include <algorithm>

#include "core/base/error.h"

namespace trireme::data {
namespace {

// Draws of a document: one number each, so four elements a document.
enum Draw : std::uint64_t { kIsRearranged, kIsSuffixFirst, kOneCut, kOtherCut, kDraws };

// Draws of a position: whether it is dropped comes from half of an element, which token comes instead from one beyond.
constexpr std::uint64_t kReplacement = std::uint64_t{1} << 32;

// 64 random bits to [0, count); the low values are favoured by less than count / 2^64.
std::uint64_t below(std::uint64_t count, std::uint64_t bits) {
  return static_cast<std::uint64_t>(static_cast<unsigned __int128>(count) * bits >> 64);
}

TokenId fim_token(const Tokenizer& tokenizer, const char* name) {
  const auto id = tokenizer.id_of(name);
  if (!id || !tokenizer.is_special(*id))
    throw Error(ErrorCode::kUsage, "data.fim-rate above 0 needs the special token ", name,
                ", which the tokenizer of data.path does not have; make one with trireme-data tokenizer train "
                "--special-tokens '<|fim_prefix|>' '<|fim_middle|>' '<|fim_suffix|>' and encode with it");
  return *id;
}

}  // namespace

Augmentation::Augmentation(const AugmentationRates& rates, std::uint64_t seed, const std::string& tokenizer_json)
    : rates_(rates), fim_random_(seed, "data/fim"), dropout_random_(seed, "data/token-dropout") {
  if (rates.fim == 0 && rates.token_dropout == 0) return;
  const Tokenizer tokenizer = Tokenizer::parse(tokenizer_json, "the tokenizer of data.path");
  if (rates.fim > 0) {
    prefix_ = fim_token(tokenizer, "<|fim_prefix|>");
    middle_ = fim_token(tokenizer, "<|fim_middle|>");
    suffix_ = fim_token(tokenizer, "<|fim_suffix|>");
  }
  end_of_text_ = tokenizer.end_of_text().value();  // a corpus cannot be made without
  is_special_.resize(static_cast<std::size_t>(tokenizer.vocabulary_size()));
  for (TokenId id = 0; id < tokenizer.vocabulary_size(); ++id) {
    is_special_[static_cast<std::size_t>(id)] = tokenizer.is_special(id);
    if (!tokenizer.is_special(id)) ordinary_.push_back(id);
  }
}

Augmentation::Pieces Augmentation::cut(std::span<const TokenId> document, std::uint64_t sample,
                                       std::uint64_t index) const {
  const auto place = [&](Draw draw) {
    return static_cast<std::size_t>(below(document.size() + 1, fim_random_.bits(index * kDraws + draw, sample)));
  };
  const auto [first, second] = std::minmax({place(kOneCut), place(kOtherCut)});
  return {document.first(first), document.subspan(first, second - first), document.subspan(second)};
}

void Augmentation::rearrange(std::int64_t sample, std::vector<TokenId>& tokens) const {
  if (rates_.fim == 0) return;
  constexpr std::size_t kMarks = 3;
  const auto lane = static_cast<std::uint64_t>(sample);
  const std::size_t size = tokens.size();
  std::vector<TokenId> out;
  out.reserve(size);
  const auto append = [&](std::span<const TokenId> part) { out.insert(out.end(), part.begin(), part.end()); };
  // A document never gets shorter, so `out` is full before `tokens` ends.
  std::size_t begin = 0;
  for (std::uint64_t index = 0; out.size() < size; ++index) {
    const auto end = static_cast<std::size_t>(
        std::find(tokens.begin() + static_cast<std::ptrdiff_t>(begin), tokens.end(), end_of_text_) - tokens.begin());
    const std::size_t room = size - out.size();
    std::span<const TokenId> document(tokens.data() + begin, end - begin);
    const auto uniform = [&](Draw draw) { return fim_random_.uniform(index * kDraws + draw, lane); };
    if (!document.empty() && room > kMarks && uniform(kIsRearranged) < rates_.fim) {
      document = document.first(std::min(document.size(), room - kMarks));
      const auto [prefix, middle, suffix] = cut(document, lane, index);
      const bool suffix_first = uniform(kIsSuffixFirst) < rates_.fim_spm;
      out.push_back(prefix_);
      if (!suffix_first) append(prefix);
      out.push_back(suffix_);
      append(suffix);
      out.push_back(middle_);
      if (suffix_first) append(prefix);
      append(middle);
    } else {
      append(document.first(std::min(document.size(), room)));
    }
    if (out.size() < size) out.push_back(end_of_text_);
    begin = end + 1;
  }
  tokens.swap(out);
}

void Augmentation::drop(std::int64_t sample, std::span<std::int64_t> inputs) const {
  if (rates_.token_dropout == 0 || ordinary_.empty()) return;
  const auto lane = static_cast<std::uint64_t>(sample);
  // One draw serves two positions: a rate to within 2^-32 is exact enough.
  const auto limit = static_cast<std::uint64_t>(rates_.token_dropout * 0x1p32);
  for (std::size_t pair = 0; pair < inputs.size(); pair += 2) {
    const std::uint64_t bits = dropout_random_.bits(pair / 2, lane);
    for (std::size_t at = pair; at < std::min(pair + 2, inputs.size()); ++at) {
      const std::uint64_t half = at == pair ? bits & 0xFFFFFFFF : bits >> 32;
      if (half >= limit || is_special_[static_cast<std::size_t>(inputs[at])]) continue;
      inputs[at] = ordinary_[below(ordinary_.size(), dropout_random_.bits(kReplacement + at, lane))];
    }
  }
}

}  // namespace trireme::data
