#include "serve/engine/stop_text.h"

#include <algorithm>

namespace trireme::serve {

StopText::StopText(std::vector<std::string> texts) : texts_(std::move(texts)) { std::erase(texts_, ""); }

std::string StopText::pass(std::string_view piece) {
  if (found_) return "";
  held_ += piece;
  // The first that is complete, and of several that end together the longest: so pieces do not matter.
  std::size_t first = std::string::npos, last = std::string::npos;
  for (const std::string& text : texts_) {
    const std::size_t at = held_.find(text);
    if (at == std::string::npos || at + text.size() > last || (at + text.size() == last && at >= first)) continue;
    first = at;
    last = at + text.size();
    found_ = text;
  }
  // The longest end of what is held that begins one of the texts stays.
  std::size_t keep = 0;
  if (!found_)
    for (const std::string& text : texts_)
      for (std::size_t size = std::min(text.size() - 1, held_.size()); size > keep; --size)
        if (std::string_view(held_).ends_with(std::string_view(text).substr(0, size))) keep = size;
  const std::size_t end = found_ ? first : held_.size() - keep;
  std::string free = held_.substr(0, end);
  held_.erase(0, found_ ? held_.size() : end);
  return free;
}

}  // namespace trireme::serve
