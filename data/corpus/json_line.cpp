#include "data/corpus/json_line.h"

#include <cstdint>
#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace trireme::data {
namespace {

// Walks a line without making a tree of it, which costs more than encoding does.
class TextFinder {
 public:
  TextFinder(const std::string& field, std::string& text) : field_(field), text_(text) {}

  bool null() { return value("null"); }
  bool boolean(bool) { return value("boolean"); }
  bool number_integer(std::int64_t) { return value("number"); }
  bool number_unsigned(std::uint64_t) { return value("number"); }
  bool number_float(double, const std::string&) { return value("number"); }
  bool binary(nlohmann::json::binary_t&) { return value("binary"); }
  bool string(std::string& read) {
    if (is_due()) text_.swap(read);
    return value(kString);
  }
  bool start_object(std::size_t) {
    if (depth_ == 0) is_object_ = true;
    value("object");
    ++depth_;
    return true;
  }
  bool start_array(std::size_t) {
    value("array");
    ++depth_;
    return true;
  }
  bool end_object() { return --depth_, true; }
  bool end_array() { return --depth_, true; }
  bool key(std::string& name) {
    key_is_due_ = name == field_;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) {
    position_ = position;
    return false;
  }

  bool is_object() const { return is_object_; }
  const char* found() const { return found_; }  // type of the member, or none
  std::size_t position() const { return position_; }
  static constexpr const char* kString = "string";

 private:
  bool is_due() const { return is_object_ && depth_ == 1 && key_is_due_; }
  bool value(const char* type) {
    if (is_due()) found_ = type;
    return true;
  }

  const std::string& field_;
  std::string& text_;
  int depth_ = 0;
  bool is_object_ = false, key_is_due_ = false;
  const char* found_ = nullptr;
  std::size_t position_ = 0;
};

}  // namespace

std::string_view JsonLineParser::text_of(std::string_view line, const std::function<std::string()>& place) {
  TextFinder finder(field_, text_);
  if (!nlohmann::json::sax_parse(line, &finder))
    throw Error(ErrorCode::kBadInput, place(), ": no valid JSON at byte ", finder.position(), " of the line");
  if (!finder.is_object() || !finder.found())
    throw Error(ErrorCode::kBadInput, place(), ": a JSON object with a member \"", field_, "\" is due");
  if (finder.found() != TextFinder::kString)
    throw Error(ErrorCode::kBadInput, place(), ": \"", field_, "\" is of type ", finder.found(), ", a string is due");
  return text_;
}

}  // namespace trireme::data
