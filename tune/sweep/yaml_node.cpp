#include "tune/sweep/yaml_node.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>

#include "core/base/text.h"
#include "core/config/yaml.h"

namespace trireme::tune {
namespace {

// Aliases make a small file a huge one: what is visited is counted.
constexpr int kMostNodes = 50000;
constexpr std::size_t kShown = 60;  // characters of a value in a message

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view without_sign(std::string_view text) {
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  return text;
}

bool is_whole_text(std::string_view text) {
  text = without_sign(text);
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

// Decimal, or YAML's .inf and .nan; nothing for any other text.
std::optional<double> parse_number(std::string_view text) {
  const std::string_view digits = without_sign(text);
  const bool negative = text.starts_with('-');
  if (digits == ".inf" || digits == ".Inf" || digits == ".INF")
    return negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  if (text == ".nan" || text == ".NaN" || text == ".NAN") return std::numeric_limits<double>::quiet_NaN();
  if (digits.empty() || !(is_digit(digits[0]) || digits[0] == '.')) return std::nullopt;  // from_chars takes "inf"
  double number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (end != digits.data() + digits.size() || error == std::errc::invalid_argument) return std::nullopt;
  if (error == std::errc::result_out_of_range) number = std::strtod(std::string(digits).c_str(), nullptr);  // inf or 0
  return negative ? -number : number;
}

std::optional<bool> parse_flag(std::string_view text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  return std::nullopt;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  if (!is_whole_text(text)) return std::nullopt;
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t integer = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), integer);
  if (result.ec != std::errc()) return std::nullopt;
  return integer;
}

}  // namespace

Value plain_value(std::string_view text) {
  if (const auto flag = parse_flag(text)) return *flag;
  const std::string_view digits = without_sign(text);
  if (is_whole_text(text) && digits.size() > 1 && digits[0] == '0') return std::string(text);
  if (const auto integer = parse_integer(text)) return *integer;
  if (const auto number = parse_number(text)) return *number;
  return std::string(text);
}

struct YamlNode::Document {
  std::string origin;
  int visited = 0;
};

YamlNode::YamlNode(YAML::Node node, std::string path, std::string where, std::shared_ptr<Document> document)
    : node_(std::move(node)), path_(std::move(path)), where_(std::move(where)), document_(std::move(document)) {}

YamlNode YamlNode::parse(std::string_view text, const std::string& origin) {
  const YAML::Node node = load_yaml(std::string(text), origin);
  auto document = std::make_shared<Document>(Document{origin});
  return {node, "", yaml_place(origin, node.Mark().is_null() ? YAML::Mark() : node.Mark()), document};
}

YamlNode YamlNode::named(std::string path) const { return {node_, std::move(path), where_, document_}; }

YamlNode YamlNode::child(const YAML::Node& node, std::string path, const YAML::Node& at) const {
  YamlNode made(node, std::move(path), yaml_place(document_->origin, at.Mark()), document_);
  if (++document_->visited > kMostNodes) made.fail(": the file is too large, with more than ", kMostNodes, " nodes");
  return made;
}

YamlMap YamlNode::map() const {
  if (!is_map()) fail(path_.empty() ? "the file" : "", " must be a mapping of keys, got ", seen());
  YamlMap map{*this, {}};
  std::set<std::string> keys;
  for (const auto& entry : node_) {
    const YamlNode key_node = child(entry.first, path_, entry.first);
    if (!entry.first.IsScalar()) key_node.fail(path_.empty() ? "" : ": ", "a key must be a plain word");
    const std::string key = key_node.text();
    const std::string path = path_.empty() ? key : path_ + "." + key;
    if (!keys.insert(key).second) key_node.named(path).fail(" is given twice");
    map.entries.emplace_back(key, child(entry.second, path, entry.first));
  }
  return map;
}

std::vector<YamlNode> YamlNode::items() const {
  if (!is_list()) fail(" must be a list, got ", seen());
  std::vector<YamlNode> items;
  for (const auto& item : node_) items.push_back(child(item, path_, item));
  return items;
}

bool YamlNode::is_same(const YamlNode& other) const {
  if (node_.Type() != other.node_.Type()) return false;
  if (is_map()) {
    const YamlMap mine = map(), theirs = other.map();
    return std::equal(mine.entries.begin(), mine.entries.end(), theirs.entries.begin(), theirs.entries.end(),
                      [](const auto& a, const auto& b) { return a.first == b.first && a.second.is_same(b.second); });
  }
  if (!is_list()) return node_.Tag() == other.node_.Tag() && node_.Scalar() == other.node_.Scalar();
  const std::vector<YamlNode> mine = items(), theirs = other.items();
  return std::equal(mine.begin(), mine.end(), theirs.begin(), theirs.end(),
                    [](const YamlNode& a, const YamlNode& b) { return a.is_same(b); });
}

std::string YamlNode::text() const {
  if (!is_scalar()) fail(" must be a text, got ", seen());
  if (node_.Scalar().find('\0') != std::string::npos)
    fail(" must not hold the character 0, at which programs take a text to end");
  return node_.Scalar();
}

std::int64_t YamlNode::integer(std::int64_t min, std::int64_t max) const {
  const auto integer = is_scalar() ? parse_integer(node_.Scalar()) : std::nullopt;
  if (!integer || *integer < min || *integer > max)
    fail(" must be an integer from ", min, " to ", max, ", got ", seen());
  return *integer;
}

double YamlNode::number() const {
  const auto number = is_scalar() ? parse_number(node_.Scalar()) : std::nullopt;
  if (!number || !std::isfinite(*number)) fail(" must be a number, got ", seen());
  return *number;
}

bool YamlNode::is_whole() const { return is_scalar() && is_whole_text(node_.Scalar()); }

bool YamlNode::flag() const {
  const auto flag = is_scalar() ? parse_flag(node_.Scalar()) : std::nullopt;
  if (!flag) fail(" must be true or false, got ", seen());
  return *flag;
}

double YamlNode::seconds() const {
  std::optional<double> seconds;
  if (is_scalar()) seconds = parse_duration(node_.Scalar());
  if (!seconds && is_scalar()) seconds = parse_number(node_.Scalar());
  if (!seconds || !(*seconds > 0 && std::isfinite(*seconds)))
    fail(" must be a duration above 0, such as 90 (seconds), 45m or 1h30m, got ", seen());
  return *seconds;
}

Value YamlNode::value() const {
  if (!is_scalar()) fail(" must be a number, a text, true or false, got ", seen());
  const std::string& tag = node_.Tag();
  const bool is_quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
  return is_quoted ? Value(text()) : plain_value(text());
}

std::string YamlNode::one_of(const std::vector<std::string>& known) const {
  const std::string word = is_scalar() ? text() : "";
  if (std::find(known.begin(), known.end(), word) == known.end())
    fail(" must be one of ", join(known, ", "), ", got ", seen(), did_you_mean(word, known));
  return word;
}

std::string YamlNode::seen() const {
  if (is_map()) return "a mapping";
  if (is_list()) return "a list";
  if (!is_scalar()) return "nothing";
  return node_.Scalar().empty() ? "an empty text" : one_line(node_.Scalar(), kShown);
}

std::optional<YamlNode> YamlMap::find(std::string_view key) const {
  for (const auto& [name, value] : entries)
    if (name == key) return value;
  return std::nullopt;
}

void YamlMap::expect_only(const std::vector<std::string>& known) const {
  for (const auto& [key, value] : entries) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string hint = did_you_mean(key, known);
    value.named("").fail("unknown key ", value.path(), hint.empty() ? "; there are " + join(known, ", ") : hint);
  }
}

}  // namespace trireme::tune
