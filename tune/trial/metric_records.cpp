#include "tune/trial/metric_records.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/descriptor.h"
#include "core/base/text.h"

namespace trireme::tune {
namespace {

using Json = nlohmann::json;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A number that is beyond all doubles, as JSON may have it, at the beginning of `line`: its length and sign.
std::optional<std::pair<std::size_t, bool>> endless_number(std::string_view line) {
  const bool is_negative = line.starts_with('-');
  double number = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (error != std::errc::result_out_of_range) return std::nullopt;
  const std::string text(line.data(), end);
  if (std::isinf(std::strtod(text.c_str(), nullptr))) return std::pair(text.size(), is_negative);
  return std::nullopt;
}

// Python's json prints these without quotes, which is no JSON.
std::string with_quoted_constants(std::string_view line) {
  std::string quoted;
  bool is_text = false;
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char c = line[at];
    if (is_text && c == '\\' && at + 1 < line.size()) {
      quoted += line.substr(at++, 2);
      continue;
    }
    if (c == '"') is_text = !is_text;
    const bool begins_number = !is_text && at > 0 && std::string_view(" :,[\t").find(line[at - 1]) != std::string::npos;
    if (const auto endless = begins_number ? endless_number(line.substr(at)) : std::nullopt) {
      quoted += endless->second ? "\"-Infinity\"" : "\"Infinity\"";
      at += endless->first - 1;
      continue;
    }
    const auto is_constant = [&](std::string_view word) { return line.substr(at).starts_with(word); };
    const std::array<std::string_view, 3> constants{"NaN", "Infinity", "-Infinity"};
    const auto* const found = is_text ? constants.end() : std::find_if(constants.begin(), constants.end(), is_constant);
    if (found == constants.end()) {
      quoted += c;
    } else {
      quoted += '"' + std::string(*found) + '"';
      at += found->size() - 1;
    }
  }
  return quoted;
}

// Discarded where it is no JSON.
Json parse(std::string_view line) {
  Json json = Json::parse(line, nullptr, false);
  if (json.is_discarded()) json = Json::parse(with_quoted_constants(line), nullptr, false);
  return json;
}

std::optional<double> number_of_text(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.erase(0, 1);
  if (text == "nan") return kNan;
  if (text == "inf" || text == "infinity") return is_negative ? -kInfinity : kInfinity;
  return std::nullopt;
}

std::optional<double> number_of(const Json& json) {
  if (json.is_number()) return json.get<double>();
  if (json.is_null()) return kNan;
  return json.is_string() ? number_of_text(json.get<std::string>()) : std::nullopt;
}

// What is no group; nullptr where there is none of that name.
const Json* find_member(const Json& object, const std::string& name) {
  if (!object.is_object()) return nullptr;
  if (const auto found = object.find(name); found != object.end()) return found->is_object() ? nullptr : &*found;
  for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
    if (const auto group = object.find(name.substr(0, dot)); group != object.end())
      if (const Json* member = find_member(*group, name.substr(dot + 1))) return member;
  return nullptr;
}

void collect_names(const Json& object, const std::string& prefix, std::vector<std::string>& names) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object())
      collect_names(value, prefix + key + ".", names);
    else
      names.push_back(prefix + key);
  }
}

std::string_view trimmed(std::string_view line) {
  constexpr const char* kBlanks = " \t\r";
  const std::size_t begin = line.find_first_not_of(kBlanks);
  return begin == std::string_view::npos ? "" : line.substr(begin, line.find_last_not_of(kBlanks) - begin + 1);
}

}  // namespace

MetricRecords::MetricRecords(const std::vector<Objective>& objectives) {
  for (const Objective& objective : objectives) {
    names_.push_back(objective.name);
    words_.push_back(objective.name.substr(objective.name.rfind('.') + 1));
  }
}

void MetricRecords::read(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    is_too_long_ = is_too_long_ || line_.size() + piece.size() > kLongestLine;
    if (is_too_long_)
      line_.clear();
    else
      line_ += piece;
    if (end == std::string_view::npos) return;
    this->end();
    bytes.remove_prefix(end + 1);
  }
}

void MetricRecords::end() {
  if (!is_too_long_) take_line(trimmed(line_));
  line_.clear();
  is_too_long_ = false;
}

void MetricRecords::read_file(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return;
  std::array<char, 1 << 16> buffer;
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    read({buffer.data(), static_cast<std::size_t>(got)});
  }
  end();
}

// To parse is slow, and a program may print much else.
bool MetricRecords::mentions_all(std::string_view line) const {
  if (line.find('\\') != std::string_view::npos) return true;  // its names may be spelled in escapes
  return std::all_of(words_.begin(), words_.end(),
                     [&](const std::string& word) { return line.find(word) != std::string_view::npos; });
}

void MetricRecords::take_line(std::string_view line) {
  if (!line.starts_with('{') || !line.ends_with('}')) return;
  if (!values_) last_object_ = line;
  if (!mentions_all(line)) return;
  const Json object = parse(line);
  std::vector<double> values;
  std::string unusable;
  for (const std::string& name : names_) {
    const Json* const member = find_member(object, name);
    if (!member) return;
    const auto number = number_of(*member);
    if (!number && unusable.empty())
      unusable = name + " is " + one_line(member->dump(-1, ' ', false, Json::error_handler_t::replace), 60) +
                 " in the last record, which is no number";
    values.push_back(number.value_or(kNan));
  }
  unusable_ = std::move(unusable);
  values_ = unusable_.empty() ? std::optional(std::move(values)) : std::nullopt;
}

std::string MetricRecords::missing() const {
  if (!unusable_.empty()) return unusable_;
  const Json object = parse(last_object_);
  if (!object.is_object()) return "";
  std::vector<std::string> seen;
  collect_names(object, "", seen);
  std::string names;
  for (const std::string& name : names_)
    if (!find_member(object, name)) names += (names.empty() ? "" : ", ") + name + did_you_mean(name, seen);
  constexpr std::size_t kMostShown = 300;
  return "no record with a number for " + names + "; the last one has " + one_line(join(seen, ", "), kMostShown);
}

}  // namespace trireme::tune
