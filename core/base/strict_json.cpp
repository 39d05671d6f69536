#include "core/base/strict_json.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace trireme {
namespace {

using nlohmann::json;

// Looks at a text before it is parsed: afterwards a key that came twice is only its last value. The parser's own
// callback would do, but takes time that grows with the square of a list's length.
class StrictKeys final : public nlohmann::json_sax<json> {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    keys_.emplace_back();
    return deeper();
  }
  bool end_object() override {
    keys_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override { return deeper(); }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool key(string_t& name) override {
    if (!keys_.back().insert(name).second)
      throw Error(ErrorCode::kBadInput, "has the key ", json(name).dump(), " twice");
    return true;
  }
  // The parse that follows says it better.
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  bool deeper() {
    constexpr int kDeepest = 64;
    if (++depth_ > kDeepest) throw Error(ErrorCode::kBadInput, "is nested deeper than ", kDeepest);
    return true;
  }

  int depth_ = 0;
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

json parse_object(const std::string& text, const std::string& where, ErrorCode code) {
  try {
    StrictKeys keys;
    json::sax_parse(text, &keys);
    json object = json::parse(text);
    if (!object.is_object()) throw Error(code, "is not a JSON object");
    return object;
  } catch (const json::exception& error) {
    throw Error(code, where, " is not JSON: ", error.what());
  } catch (const Error& error) {
    throw Error(code, where, " ", error.what());
  }
}

}  // namespace trireme
