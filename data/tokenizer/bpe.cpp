#include "data/tokenizer/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <random>

#include "core/base/error.h"

namespace trireme::data {

MergeTable::MergeTable(const TokenizerSpec& spec, const Vocabulary& vocabulary, const std::string& origin)
    : byte_tokens_(vocabulary.byte_tokens()) {
  const std::size_t size = std::bit_ceil(std::max<std::size_t>(spec.merges.size() * 2, 16));
  slots_.resize(size);
  shift_ = 64 - std::countr_zero(size);
  // A file made to collide must not slow every look-up; ids do not depend on the seed.
  std::random_device device;
  seed_ = (std::uint64_t{device()} << 32 | device()) | 1;

  result_.reserve(spec.merges.size());
  for (const auto& [left, right] : spec.merges) {
    const auto rank = static_cast<std::uint32_t>(result_.size());
    const auto token = [&](const std::string& spelling) {
      const auto id = vocabulary.model_id_of(spelling);
      if (!id)
        throw Error(ErrorCode::kBadInput, origin, ": model.merges[", rank, "], ", quoted(left), " with ", quoted(right),
                    ", needs the token ", quoted(spelling), ", which model.vocab does not have");
      return *id;
    };
    const TokenId left_id = token(left), right_id = token(right);
    std::size_t at = home(left_id, right_id);
    for (; slots_[at].rank != kNone; at = (at + 1) & (size - 1)) {
      if (slots_[at].left == left_id && slots_[at].right == right_id)
        throw Error(ErrorCode::kBadInput, origin, ": model.merges[", rank, "], ", quoted(left), " with ", quoted(right),
                    ", is there twice");
    }
    slots_[at] = {left_id, right_id, rank};
    result_.push_back(token(left + right));
  }

  byte_rank_.resize(std::size_t{256} * 256);
  for (std::size_t pair = 0; pair < byte_rank_.size(); ++pair)
    byte_rank_[pair] = rank_of(byte_tokens_[pair >> 8], byte_tokens_[pair & 0xFF]);
}

std::size_t MergeTable::home(TokenId left, TokenId right) const {
  const std::uint64_t key = std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
  std::uint64_t mixed = (key ^ seed_) * 0x9E3779B97F4A7C15u;
  mixed = (mixed ^ mixed >> 32) * seed_;
  return static_cast<std::size_t>(mixed >> shift_);
}

std::uint32_t MergeTable::rank_of(TokenId left, TokenId right) const {
  for (std::size_t at = home(left, right);; at = (at + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[at];
    if (slot.rank == kNone || (slot.left == left && slot.right == right)) return slot.rank;
  }
}

void MergeTable::encode(std::string_view piece, std::vector<TokenId>& ids, Scratch& scratch) const {
  if (piece.size() <= kShort)
    encode_short(piece, ids);
  else
    encode_long(piece, ids, scratch);
}

void MergeTable::encode_short(std::string_view piece, std::vector<TokenId>& ids) const {
  std::array<TokenId, kShort> token;
  std::array<std::uint32_t, kShort> rank;  // of the pair that begins here
  std::size_t count = piece.size();
  for (std::size_t i = 0; i < count; ++i) {
    const auto byte = static_cast<unsigned char>(piece[i]);
    token[i] = byte_tokens_[byte];
    rank[i] = i + 1 < count ? byte_rank_[std::size_t{byte} << 8 | static_cast<unsigned char>(piece[i + 1])] : kNone;
  }
  while (count > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < count; ++i) {
      if (rank[i] < rank[best]) best = i;
    }
    if (rank[best] == kNone) break;
    token[best] = result_[rank[best]];
    --count;
    for (std::size_t i = best + 1; i < count; ++i) token[i] = token[i + 1], rank[i] = rank[i + 1];
    rank[best] = best + 1 < count ? rank_of(token[best], token[best + 1]) : kNone;
    if (best > 0) rank[best - 1] = rank_of(token[best - 1], token[best]);
  }
  ids.insert(ids.end(), token.begin(), token.begin() + static_cast<std::ptrdiff_t>(count));
}

void MergeTable::encode_long(std::string_view piece, std::vector<TokenId>& ids, Scratch& scratch) const {
  if (piece.size() >= kNone)
    throw Error(ErrorCode::kBadInput, "text has ", piece.size(), " bytes without a border of words, at most ",
                kNone - 1, " fit; split the document");
  const auto count = static_cast<std::uint32_t>(piece.size());
  auto& [token, rank, next, previous, heap] = scratch;
  token.resize(count);
  rank.resize(count);
  next.resize(count);
  previous.resize(count);
  heap.clear();

  // An entry is a pair's rank and where it begins. It is stale once the pair there has another rank.
  const auto entry = [](std::uint32_t of_rank, std::uint32_t at) { return std::uint64_t{of_rank} << 32 | at; };
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto byte = static_cast<unsigned char>(piece[i]);
    token[i] = byte_tokens_[byte];
    next[i] = i + 1 < count ? i + 1 : kNone;
    previous[i] = i > 0 ? i - 1 : kNone;
    rank[i] = i + 1 < count ? byte_rank_[std::size_t{byte} << 8 | static_cast<unsigned char>(piece[i + 1])] : kNone;
    if (rank[i] != kNone) heap.push_back(entry(rank[i], i));
  }
  const auto later = std::greater<>();
  std::make_heap(heap.begin(), heap.end(), later);
  const auto update = [&](std::uint32_t at) {
    rank[at] = next[at] == kNone ? kNone : rank_of(token[at], token[next[at]]);
    if (rank[at] == kNone) return;
    heap.push_back(entry(rank[at], at));
    std::push_heap(heap.begin(), heap.end(), later);
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const auto best = static_cast<std::uint32_t>(heap.back() >> 32), at = static_cast<std::uint32_t>(heap.back());
    heap.pop_back();
    if (rank[at] != best) continue;
    const std::uint32_t gone = next[at];
    token[at] = result_[best];
    next[at] = next[gone];
    if (next[at] != kNone) previous[next[at]] = at;
    rank[gone] = kNone;
    update(at);
    if (previous[at] != kNone) update(previous[at]);
  }
  for (std::uint32_t i = 0; i != kNone; i = next[i]) ids.push_back(token[i]);

  // A word of megabytes is rare: do not hold its memory until the program ends.
  if (count > (1u << 20)) scratch = Scratch();
}

}  // namespace trireme::data
