#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme {

/// A text as a JSON object; keys that come twice and nesting deeper than 64 are refused: the first has no one meaning,
/// the second would let a file choose how deep we recurse. @throws Error of this code, naming `where`
nlohmann::json parse_object(const std::string& text, const std::string& where, ErrorCode code);

/// A value as JSON on one line, for files and messages: bytes that are no UTF-8 become U+FFFD instead of an exception.
template <class Json>
std::string json_text(const Json& value) {
  return value.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}
/// The beginning of it, for messages about values of any size.
template <class Json>
std::string json_excerpt(const Json& value, std::size_t most = 80) {
  return one_line(json_text(value), most);
}

}  // namespace trireme
