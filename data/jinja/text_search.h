#pragma once
#include <algorithm>
#include <string_view>

#include "data/jinja/heap.h"

namespace trireme::data::jinja {

/// text.find(wanted, from), where each comparison is paid for: of "aaa…" in "aaa…ab" they would be n * m.
inline std::size_t find_text(Heap& heap, std::string_view text, std::string_view wanted, std::size_t from = 0) {
  if (wanted.empty()) return from <= text.size() ? from : std::string_view::npos;
  heap.step_bytes(text.size() - std::min(from, text.size()));
  while ((from = text.find(wanted.front(), from)) != std::string_view::npos) {
    if (text.size() - from < wanted.size()) break;
    if (wanted.size() > 1) heap.step_bytes(wanted.size());
    if (text.substr(from, wanted.size()) == wanted) return from;
    ++from;
  }
  return std::string_view::npos;
}

/// text.rfind(wanted), paid for likewise.
inline std::size_t rfind_text(Heap& heap, std::string_view text, std::string_view wanted) {
  if (wanted.size() > text.size()) return std::string_view::npos;
  if (wanted.empty()) return text.size();
  heap.step_bytes(text.size());
  std::size_t at = text.size() - wanted.size();
  while ((at = text.rfind(wanted.front(), at)) != std::string_view::npos) {
    if (wanted.size() > 1) heap.step_bytes(wanted.size());
    if (text.substr(at, wanted.size()) == wanted) return at;
    if (at-- == 0) break;
  }
  return std::string_view::npos;
}

}  // namespace trireme::data::jinja
