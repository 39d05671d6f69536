#include "data/tokenizer/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <random>

#include "core/base/error.h"
#include "data/tokenizer/byte_alphabet.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kMark = "\xE2\x96\x81";  // "▁"

std::vector<std::pair<std::string, std::string>> merges_of(const JsonReader& reader, const Json& model) {
  const Json& entries = reader.member(model, "merges", "model");
  if (!entries.is_array()) reader.refuse("model.merges must be an array, got ", JsonReader::shown(entries));
  std::vector<std::pair<std::string, std::string>> merges;
  merges.reserve(entries.size());
  for (const Json& merge : entries) {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
      continue;
    }
    if (merge.is_string()) {
      const std::string& text = merge.get_ref<const std::string&>();
      if (text.starts_with("#version") && merges.empty()) continue;  // the head line of a merges.txt
      const std::size_t space = text.find(' ');
      if (space != std::string::npos && text.find(' ', space + 1) == std::string::npos) {
        merges.emplace_back(text.substr(0, space), text.substr(space + 1));
        continue;
      }
    }
    reader.refuse("model.merges[", merges.size(), "] must be \"a b\" or [\"a\", \"b\"], got ",
                  JsonReader::shown(merge));
  }
  return merges;
}

}  // namespace

Bpe::Bpe(const JsonReader& reader, const Json& model, const Vocabulary& vocabulary, bool as_bytes)
    : vocabulary_(vocabulary) {
  reader.require_known_keys(model, "model",
                            {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
                             "byte_fallback", "ignore_merges", "vocab", "merges"});
  if (const auto dropout = model.find("dropout");
      dropout != model.end() && !dropout->is_null() && !(dropout->is_number() && *dropout == 0))
    reader.refuse("model.dropout is not supported, must be null or 0, got ", JsonReader::shown(*dropout));
  prefix_ = reader.text(model, "continuing_subword_prefix", "model", "");
  suffix_ = reader.text(model, "end_of_word_suffix", "model", "");
  fuses_unknown_ = reader.boolean(model, "fuse_unk", "model", false);
  has_fallback_ = reader.boolean(model, "byte_fallback", "model", false);
  ignores_merges_ = reader.boolean(model, "ignore_merges", "model", false);
  if (const std::string unknown = reader.text(model, "unk_token", "model", ""); !unknown.empty()) {
    unknown_ = vocabulary.model_id_of(unknown);
    needs_unknown_ = !unknown_;
  }
  if (has_fallback_) fallback_ = fallback_tokens(vocabulary);
  if (as_bytes) byte_tokens_ = vocabulary.byte_tokens();
  read_merges(reader, model);
  has_words_ = !byte_tokens_ && begins_words_with_mark();
  if (!byte_tokens_) return;
  byte_rank_.resize(std::size_t{256} * 256);
  for (std::size_t pair = 0; pair < byte_rank_.size(); ++pair)
    byte_rank_[pair] = rank_of((*byte_tokens_)[pair >> 8], (*byte_tokens_)[pair & 0xFF]);
}

void Bpe::read_merges(const JsonReader& reader, const Json& model) {
  const auto merges = merges_of(reader, model);
  const std::size_t size = std::bit_ceil(std::max<std::size_t>(merges.size() * 2, 16));
  slots_.resize(size);
  shift_ = 64 - std::countr_zero(size);
  // A file made to collide must not slow every look-up; ids do not depend on the seed.
  std::random_device device;
  seed_ = (std::uint64_t{device()} << 32 | device()) | 1;

  result_.reserve(merges.size());
  for (const auto& [left, right] : merges) {
    const auto rank = static_cast<std::uint32_t>(result_.size());
    const auto token = [&](const std::string& spelling) {
      const auto id = vocabulary_.model_id_of(spelling);
      if (!id)
        reader.refuse("model.merges[", rank, "], ", quoted(left), " with ", quoted(right), ", needs the token ",
                      quoted(spelling), ", which model.vocab does not have");
      return *id;
    };
    const TokenId left_id = token(left), right_id = token(right);
    std::size_t at = home(left_id, right_id);
    for (; slots_[at].rank != kNone; at = (at + 1) & (size - 1)) {
      if (slots_[at].left == left_id && slots_[at].right == right_id)
        reader.refuse("model.merges[", rank, "], ", quoted(left), " with ", quoted(right), ", is there twice");
    }
    slots_[at] = {left_id, right_id, rank};
    if (right.size() < prefix_.size())
      reader.refuse("model.merges[", rank, "], ", quoted(left), " with ", quoted(right),
                    ", lacks model.continuing_subword_prefix ", quoted(prefix_));
    result_.push_back(token(left + right.substr(prefix_.size())));
  }
}

// SentencePiece's models see a text as one piece, in which "▁" begins words. Where no token that merges make has one
// behind anything else, none reaches beyond a word.
bool Bpe::begins_words_with_mark() const {
  if (ignores_merges_ || !prefix_.empty() || !suffix_.empty() || !vocabulary_.model_id_of(kMark)) return false;
  return std::ranges::none_of(result_, [&](TokenId id) {
    std::string_view token = vocabulary_.spelling(id);
    while (token.starts_with(kMark)) token.remove_prefix(kMark.size());
    return token.find(kMark) != std::string_view::npos;
  });
}

std::size_t Bpe::first_part(std::string_view piece) const {
  if (!has_words_) return piece.size();
  std::size_t at = 0;
  while (piece.substr(at).starts_with(kMark)) at += kMark.size();
  return std::min(piece.find(kMark, at), piece.size());
}

std::size_t Bpe::home(TokenId left, TokenId right) const {
  const std::uint64_t key = std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
  std::uint64_t mixed = (key ^ seed_) * 0x9E3779B97F4A7C15u;
  mixed = (mixed ^ mixed >> 32) * seed_;
  return static_cast<std::size_t>(mixed >> shift_);
}

std::uint32_t Bpe::rank_of(TokenId left, TokenId right) const {
  for (std::size_t at = home(left, right);; at = (at + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[at];
    if (slot.rank == kNone || (slot.left == left && slot.right == right)) return slot.rank;
  }
}

std::optional<TokenId> Bpe::whole(std::string_view piece) const {
  return byte_tokens_ ? vocabulary_.model_id_of(spell_bytes(piece)) : vocabulary_.model_id_of(piece);
}

void Bpe::encode(std::string_view piece, std::vector<TokenId>& ids, std::vector<TextSpan>* spans,
                 Scratch& scratch) const {
  if (piece.size() >= kNone)
    throw Error(ErrorCode::kBadInput, "text has ", piece.size(), " bytes without a border of words, at most ",
                kNone - 1, " fit; split the document");
  if (ignores_merges_) {
    if (const auto id = whole(piece)) {
      ids.push_back(*id);
      if (spans) spans->push_back({0, static_cast<std::uint32_t>(piece.size())});
      return;
    }
  }
  if (byte_tokens_ && !spans && piece.size() <= kShort) return encode_bytes(piece, ids);
  scratch.ids.clear();
  scratch.size.clear();
  if (byte_tokens_) {
    for (const char byte : piece) scratch.ids.push_back((*byte_tokens_)[static_cast<unsigned char>(byte)]);
    scratch.size.resize(piece.size(), 1);
  } else {
    split_characters(piece, scratch);
  }
  merge(scratch, ids, spans);
  // A word of megabytes is rare: do not hold its memory until the program ends.
  if (piece.size() > (1u << 20)) scratch = Scratch();
}

void Bpe::split_characters(std::string_view piece, Scratch& scratch) const {
  const auto add = [&](TokenId id, std::size_t size) {
    scratch.ids.push_back(id);
    scratch.size.push_back(static_cast<std::uint32_t>(size));
  };
  std::size_t unknown = 0;  // bytes of what is unknown and not yet told
  for (std::size_t at = 0; at < piece.size();) {
    const Utf8Step step = utf8_step(piece.substr(at));
    const std::string_view character = piece.substr(at, step.size);
    std::string& spelling = scratch.text;
    spelling.clear();
    if (at > 0) spelling += prefix_;
    spelling += character;
    at += step.size;
    if (at == piece.size()) spelling += suffix_;
    if (const auto id = vocabulary_.model_id_of(spelling)) {
      if (unknown > 0) add(*unknown_, std::exchange(unknown, 0));
      add(*id, step.size);
      continue;
    }
    const auto fallback = [&](char byte) { return fallback_[static_cast<unsigned char>(byte)]; };
    if (has_fallback_ && std::ranges::all_of(spelling, [&](char byte) { return fallback(byte) >= 0; })) {
      // What was unknown before stays behind, as in PyPI's tokenizers.
      for (const char byte : spelling) add(fallback(byte), 1);
      continue;
    }
    if (needs_unknown_) throw_no_token(character);
    if (!unknown_) continue;  // it is dropped
    if (unknown > 0 && !fuses_unknown_) add(*unknown_, std::exchange(unknown, 0));
    unknown += step.size;
  }
  if (unknown > 0) add(*unknown_, unknown);
}

void Bpe::encode_bytes(std::string_view piece, std::vector<TokenId>& ids) const {
  std::array<TokenId, kShort> token;
  std::array<std::uint32_t, kShort> rank;  // of the pair that begins here
  std::size_t count = piece.size();
  for (std::size_t i = 0; i < count; ++i) {
    const auto byte = static_cast<unsigned char>(piece[i]);
    token[i] = (*byte_tokens_)[byte];
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

void Bpe::merge(Scratch& scratch, std::vector<TokenId>& ids, std::vector<TextSpan>* spans) const {
  auto& token = scratch.ids;
  auto& [unused_ids, size, rank, next, previous, heap, unused_score, unused_text] = scratch;
  const auto count = static_cast<std::uint32_t>(token.size());
  rank.resize(count);
  next.resize(count);
  previous.resize(count);
  heap.clear();

  // An entry is a pair's rank and where it begins. It is stale once the pair there has another rank.
  const auto entry = [](std::uint32_t of_rank, std::uint32_t at) { return std::uint64_t{of_rank} << 32 | at; };
  for (std::uint32_t i = 0; i < count; ++i) {
    next[i] = i + 1 < count ? i + 1 : kNone;
    previous[i] = i > 0 ? i - 1 : kNone;
    rank[i] = i + 1 < count ? rank_of(token[i], token[i + 1]) : kNone;
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
    size[at] += size[gone];
    next[at] = next[gone];
    if (next[at] != kNone) previous[next[at]] = at;
    rank[gone] = kNone;
    update(at);
    if (previous[at] != kNone) update(previous[at]);
  }
  std::uint32_t begin = 0;
  for (std::uint32_t i = 0; i < count; i = next[i]) {
    ids.push_back(token[i]);
    if (spans) spans->push_back({begin, begin + size[i]});
    begin += size[i];
  }
}

}  // namespace trireme::data
