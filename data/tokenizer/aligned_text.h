#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trireme::data {

/// Bytes of a text that was encoded.
struct TextSpan {
  std::uint32_t begin = 0, end = 0;
  friend bool operator==(const TextSpan&, const TextSpan&) = default;
};

/// A part of a text, maybe changed (lower case, normal forms, another character for spaces), where each byte knows
/// which bytes of the original it stands for. What PyPI's tokenizers call a NormalizedString, with its rules for what a
/// new character stands for, since offsets follow from them.
///
/// As long as nothing is changed it is a view, and costs nothing.
class AlignedText {
 public:
  /// @param text   outlives this, or the first change
  /// @param begin  where `text` begins in the original
  /// @throws Error kBadInput  the text ends beyond 4 GiB
  void assign(std::string_view text, std::uint32_t begin);

  std::string_view text() const { return origin_.empty() ? view_ : std::string_view(changed_); }
  bool is_changed() const { return !origin_.empty(); }
  /// Bytes [begin, end) of text() alone; a view as long as `other` is one.
  void assign_part(const AlignedText& other, std::size_t begin, std::size_t end);
  /// What bytes [begin, end) of text() stand for, in whole characters of the original.
  TextSpan original(std::size_t begin, std::size_t end) const;

 private:
  friend class TextChange;
  TextSpan origin_of(std::size_t at) const { return original(at, at + 1); }

  std::string_view view_;
  std::uint32_t begin_ = 0;
  std::size_t most_ = 0;  // bytes that it may grow to
  std::string changed_;
  std::vector<TextSpan> origin_;  // of each byte of changed_; empty: nothing is changed
};

/// Goes over an AlignedText once, from begin to end, and writes its successor: a character is kept, replaced, inserted
/// or left out. finish() makes the change; what was not gone over until then is left out.
class TextChange {
 public:
  /// Memory that changes need, kept from one to the next.
  struct Scratch {
    std::string text;
    std::vector<TextSpan> origin;
  };

  TextChange(AlignedText& text, Scratch& scratch);

  /// The text as it was.
  std::string_view old_text() const { return old_; }
  /// Bytes of it that were gone over.
  std::size_t at() const { return at_; }
  bool at_end() const { return at_ == old_.size(); }
  /// Bytes of the new text so far.
  std::size_t written() const { return scratch_.text.size(); }

  void keep(std::size_t bytes);
  /// `character`, in bytes, for the next old one. Behind the last it stands for what that stood for.
  void replace(std::string_view character);
  /// Stands for what the old character before stands for; at the very begin, for nothing.
  void insert(std::string_view character);
  /// `prefix`, in front of the next old character, which is kept: all of it stands for what that stands for.
  void prepend(std::string_view prefix);
  void skip_characters(std::size_t count);
  void skip(std::size_t bytes) { at_ += bytes; }
  void finish();

 private:
  void put(std::string_view bytes, TextSpan origin);
  void require_room(std::size_t bytes) const;

  AlignedText& text_;
  Scratch& scratch_;
  std::string_view old_;
  std::size_t at_ = 0;
};

}  // namespace trireme::data
