#include "data/tokenizer/word_scanner.h"

#include <array>

namespace trireme::data {
namespace {

struct KnownPattern {
  WordScanner::Style style;
  std::string_view text;
};

constexpr std::array kPatterns = {
    KnownPattern{WordScanner::Style::kGpt2,
                 R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
    KnownPattern{
        WordScanner::Style::kLlama3,
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    KnownPattern{
        WordScanner::Style::kQwen,
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
};

/// Bytes of the contraction ('s, 't, 're, 've, 'm, 'll, 'd) that `text` starts with, or 0.
std::size_t contraction(std::string_view text) {
  if (text.size() < 2) return 0;
  const char second = text[1], third = text.size() > 2 ? text[2] : '\0';
  switch (second) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return third == 'e' ? 3 : 0;
    case 'l':
      return third == 'l' ? 3 : 0;
    default:
      return 0;
  }
}

/// The same in either case; an "ſ" (U+017F) is an s then.
std::size_t contraction_in_any_case(std::string_view text) {
  char small[3] = {'\'', '\0', '\0'};
  for (std::size_t i = 1; i < 3 && i < text.size(); ++i)
    small[i] = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
  if (const std::size_t size = contraction({small, std::min<std::size_t>(text.size(), 3)}); size > 0) return size;
  return text.substr(1).starts_with("\xC5\xBF") ? 3 : 0;
}

bool is_line_end(char byte) { return byte == '\r' || byte == '\n'; }

}  // namespace

std::optional<WordScanner> WordScanner::of_pattern(std::string_view pattern) {
  for (const KnownPattern& known : kPatterns)
    if (known.text == pattern) return WordScanner(known.style);
  return std::nullopt;
}

std::string_view WordScanner::pattern(Style style) {
  for (const KnownPattern& known : kPatterns)
    if (known.style == style) return known.text;
  return {};
}

std::size_t WordScanner::run_end(std::string_view text, std::size_t begin, CharClass kind) const {
  std::size_t end = begin;
  while (end < text.size()) {
    const auto byte = static_cast<unsigned char>(text[end]);
    if (byte < 0x80) {
      if (classes_->of_ascii(byte) != kind) break;
      ++end;
    } else {
      const CharStep step = classes_->step(text.substr(end));
      if (step.kind != kind) break;
      end += step.size;
    }
  }
  return end;
}

std::size_t WordScanner::gpt2_match(std::string_view text) const {
  if (text[0] == '\'') {
    if (const std::size_t size = contraction(text); size > 0) return size;
  }
  const CharStep first = classes_->step(text);
  if (first.kind != CharClass::kSpace) return run_end(text, first.size, first.kind);

  if (text[0] == ' ' && text.size() > 1) {  // " ?" is a plain space, no other white space
    const CharStep second = classes_->step(text.substr(1));
    if (second.kind != CharClass::kSpace && second.kind != CharClass::kInvalid)
      return run_end(text, 1 + second.size, second.kind);
  }
  // \s+(?!\S): all white space at the end of the text, else all but its last character, which may begin the next piece.
  std::size_t last = 0, end = first.size;
  while (end < text.size()) {
    const CharStep step = classes_->step(text.substr(end));
    if (step.kind == CharClass::kInvalid) return end;
    if (step.kind != CharClass::kSpace) return last > 0 ? last : end;
    last = end;
    end += step.size;
  }
  return end;
}

std::size_t WordScanner::cl100k_match(std::string_view text, int most_digits) const {
  if (text[0] == '\'') {
    if (const std::size_t size = contraction_in_any_case(text); size > 0) return size;
  }
  const CharStep first = classes_->step(text);
  switch (first.kind) {
    case CharClass::kLetter:
      return run_end(text, first.size, CharClass::kLetter);
    case CharClass::kNumber: {
      std::size_t end = first.size;
      for (int digits = 1; digits < most_digits && end < text.size(); ++digits) {
        const CharStep step = classes_->step(text.substr(end));
        if (step.kind != CharClass::kNumber) break;
        end += step.size;
      }
      return end;
    }
    case CharClass::kInvalid:
      return run_end(text, first.size, CharClass::kInvalid);
    case CharClass::kOther:
    case CharClass::kSpace:
      break;
  }
  // One character of any other kind, but no end of a line, may lead a word.
  const CharStep second =
      first.size < text.size() ? classes_->step(text.substr(first.size)) : CharStep{CharClass::kInvalid, 0};
  if (second.kind == CharClass::kLetter && !is_line_end(text[0]))
    return run_end(text, first.size + second.size, CharClass::kLetter);
  // " ?[^\s\p{L}\p{N}]+[\r\n]*"
  if (first.kind == CharClass::kOther || (text[0] == ' ' && second.kind == CharClass::kOther)) {
    std::size_t end = run_end(text, first.size, CharClass::kOther);
    while (end < text.size() && is_line_end(text[end])) ++end;
    return end;
  }
  // White space: up to its last end of a line, else all at the end of the text, else all but the last character.
  std::size_t last = 0, end = first.size, behind_line = is_line_end(text[0]) ? 1 : 0;
  bool is_followed = false;
  while (end < text.size()) {
    const CharStep step = classes_->step(text.substr(end));
    if (step.kind != CharClass::kSpace) {
      is_followed = step.kind != CharClass::kInvalid;
      break;
    }
    last = end;
    end += step.size;
    if (is_line_end(text[last])) behind_line = end;
  }
  if (behind_line > 0) return behind_line;
  return is_followed && last > 0 ? last : end;
}

std::size_t WordScanner::first_run(std::string_view text) const {
  const bool invalid = classes_->step(text).kind == CharClass::kInvalid;
  std::size_t end = 0;
  while (end < text.size()) {
    const CharStep step = classes_->step(text.substr(end));
    if ((step.kind == CharClass::kInvalid) != invalid) break;
    end += step.size;
  }
  return end;
}

}  // namespace trireme::data
