#include "data/tokenizer/aligned_text.h"

#include <algorithm>

#include "core/base/error.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data {

namespace {

// A rule of a file may make much of little, again and again. U+FDFA makes 33 bytes of three; this is far beyond that.
constexpr std::size_t kMostGrowth = 256, kAlwaysRoom = 1 << 16;

}  // namespace

void AlignedText::assign(std::string_view text, std::uint32_t begin) {
  constexpr std::size_t kMost = ~std::uint32_t{0};
  if (text.size() > kMost - begin)
    throw Error(ErrorCode::kBadInput, "a text has ", begin + text.size(), " bytes; at most ", kMost,
                " fit, split the document");
  view_ = text;
  begin_ = begin;
  most_ = std::min(kMost, kAlwaysRoom + text.size() * kMostGrowth);
  changed_.clear();
  origin_.clear();
}

void AlignedText::assign_part(const AlignedText& other, std::size_t begin, std::size_t end) {
  most_ = other.most_;
  if (!other.is_changed()) {
    assign(other.view_.substr(begin, end - begin), other.begin_ + static_cast<std::uint32_t>(begin));
    return;
  }
  begin_ = other.original(begin, end).begin;
  changed_ = other.changed_.substr(begin, end - begin);
  origin_.assign(other.origin_.begin() + static_cast<std::ptrdiff_t>(begin),
                 other.origin_.begin() + static_cast<std::ptrdiff_t>(end));
}

TextSpan AlignedText::original(std::size_t begin, std::size_t end) const {
  if (!origin_.empty()) return {origin_[begin].begin, origin_[end - 1].end};
  const auto is_inside = [&](std::size_t at) {
    return at > 0 && at < view_.size() && (static_cast<unsigned char>(view_[at]) & 0xC0) == 0x80;
  };
  // A token may end within a character; of invalid bytes, which may look like the inside of one, each is its own.
  const std::size_t first = begin, last = end;
  while (is_inside(begin) && first - begin < 3) --begin;
  if (begin != first) {
    const Utf8Step step = utf8_step(view_.substr(begin));
    if (!step.is_valid() || begin + step.size <= first) begin = first;
  }
  std::size_t lead = end - 1;
  while (is_inside(lead) && last - lead < 4) --lead;
  const Utf8Step step = utf8_step(view_.substr(lead));
  if (step.is_valid() && lead + step.size > end) end = lead + step.size;
  return {begin_ + static_cast<std::uint32_t>(begin), begin_ + static_cast<std::uint32_t>(end)};
}

TextChange::TextChange(AlignedText& text, Scratch& scratch) : text_(text), scratch_(scratch), old_(text.text()) {
  scratch_.text.clear();
  scratch_.origin.clear();
  scratch_.text.reserve(old_.size() + old_.size() / 4 + 16);
  scratch_.origin.reserve(old_.size() + old_.size() / 4 + 16);
}

void TextChange::require_room(std::size_t bytes) const {
  if (bytes > text_.most_ - scratch_.text.size())
    throw Error(ErrorCode::kBadInput, "the tokenizer's normalizer makes more than ", text_.most_, " bytes of a text");
}

void TextChange::put(std::string_view bytes, TextSpan origin) {
  require_room(bytes.size());
  scratch_.text += bytes;
  scratch_.origin.insert(scratch_.origin.end(), bytes.size(), origin);
}

void TextChange::keep(std::size_t bytes) {
  if (text_.is_changed()) {
    require_room(bytes);
    scratch_.text += old_.substr(at_, bytes);
    const auto from = text_.origin_.begin() + static_cast<std::ptrdiff_t>(at_);
    scratch_.origin.insert(scratch_.origin.end(), from, from + static_cast<std::ptrdiff_t>(bytes));
    at_ += bytes;
    return;
  }
  for_each_character(old_.substr(at_, bytes), [&](Utf8Step step, std::string_view character) {
    const auto begin = text_.begin_ + static_cast<std::uint32_t>(at_);
    if (step.is_valid()) {
      put(character, {begin, begin + step.size});
    } else {
      for (std::uint32_t i = 0; i < step.size; ++i) put(character.substr(i, 1), {begin + i, begin + i + 1});
    }
    at_ += step.size;
  });
}

void TextChange::replace(std::string_view character) {
  if (at_end()) {
    insert(character);
    return;
  }
  put(character, text_.origin_of(at_));
  at_ += utf8_step(old_.substr(at_)).size;
}

void TextChange::insert(std::string_view character) {
  put(character, at_ > 0 ? text_.origin_of(at_ - 1) : TextSpan{text_.begin_, text_.begin_});
}

void TextChange::prepend(std::string_view prefix) {
  const TextSpan origin = text_.origin_of(at_);
  const std::string_view next = old_.substr(at_, utf8_step(old_.substr(at_)).size);
  put(prefix, origin);
  put(next, origin);
  at_ += next.size();
}

void TextChange::skip_characters(std::size_t count) {
  for (; count > 0 && !at_end(); --count) at_ += utf8_step(old_.substr(at_)).size;
}

void TextChange::finish() {
  text_.changed_.swap(scratch_.text);
  text_.origin_.swap(scratch_.origin);
  if (text_.origin_.empty()) text_.view_ = {};  // nothing is left
}

}  // namespace trireme::data
