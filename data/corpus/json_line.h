#pragma once
#include <functional>
#include <string>
#include <string_view>

namespace trireme::data {

/// Takes the text out of lines of JSON: `{"text": "...", ...}`.
class JsonLineParser {
 public:
  /// @param field  name of the member that holds the text
  explicit JsonLineParser(std::string field) : field_(std::move(field)) {}

  /// The text, valid until the next call. @param place  names the line, for messages
  /// @throws Error kBadInput  no valid JSON, no object, no such member, or one that is no string
  std::string_view text_of(std::string_view line, const std::function<std::string()>& place);

 private:
  std::string field_;
  std::string text_;
};

}  // namespace trireme::data
