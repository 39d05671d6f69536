#include "data/tokenizer/pretokenizer.h"

namespace trireme::data {
namespace {

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

}  // namespace

std::size_t Pretokenizer::run_end(std::string_view text, std::size_t begin, CharClass kind) const {
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

std::size_t Pretokenizer::first_match(std::string_view text) const {
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

std::size_t Pretokenizer::first_run(std::string_view text) const {
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
