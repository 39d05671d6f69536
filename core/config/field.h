#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

namespace trireme {

/// What values a field takes, beside what its type says.
struct Allowed {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  std::array<const char*, 8> names{};  ///< when any is set, the value is one of them
  bool required = false;               ///< must not be left empty
  bool one_each = false;               ///< of a list: its flag takes one value each time it is given, not several
  const char* bare = nullptr;          ///< a flag may come without a value, which then is this one; else behind '='
  bool comma_list = false;             ///< of a text: a YAML list or mapping is taken as "a,b" or "a=1,b=2"
};

/// Inclusive on both ends.
constexpr Allowed Range(double min, double max) { return {.min = min, .max = max}; }
constexpr Allowed AtLeast(double min) { return {.min = min}; }
template <class... Names>
constexpr Allowed OneOf(Names... names) {
  return {.names = {names...}};
}
inline constexpr Allowed kRequired{.required = true};
/// One of `names`, the second where the flag comes alone.
template <class... Names>
constexpr Allowed MayBeBare(const char* none, const char* bare, Names... more) {
  return {.names = {none, bare, more...}, .bare = bare};
}
inline constexpr Allowed kOneEach{.one_each = true};
inline constexpr Allowed kCommaList{.comma_list = true};

/// One key of a config or one flag of a command: declared once, in the struct's fields(), and walked by flags, --help,
/// files, environment, printing and whoever else needs the list (style: one field list a config).
template <class Config, class Value>
struct Field {
  std::string_view name;  ///< kebab-case
  Value Config::* member;
  std::string_view help;
  Allowed allowed{};
};
template <class Config, class Value>
Field(std::string_view, Value Config::*, std::string_view, Allowed) -> Field<Config, Value>;
template <class Config, class Value>
Field(std::string_view, Value Config::*, std::string_view) -> Field<Config, Value>;

/// A struct with a field list; as a member of another one it is a group, whose name becomes a prefix.
template <class Config>
concept ConfigGroup = requires { Config::fields(); };

using FieldPointer = std::variant<bool*, std::int64_t*, double*, std::string*, std::vector<std::string>*>;

/// A field of one object, without its type: what everything but the declaration works with, so that the machinery is
/// compiled once and not in every file that has a config.
struct FieldRef {
  std::string key;  ///< with its groups: "optimizer.learning-rate"
  std::string help;
  FieldPointer value;
  Allowed allowed;
};
using FieldList = std::vector<FieldRef>;

template <ConfigGroup Config>
void append_fields(FieldList& list, Config& config, const std::string& prefix) {
  const auto append = [&](const auto& field) {
    auto& value = config.*(field.member);
    const std::string key = prefix + std::string(field.name);
    if constexpr (ConfigGroup<std::remove_reference_t<decltype(value)>>) {
      append_fields(list, value, key + ".");
    } else {
      list.push_back({key, std::string(field.help), &value, field.allowed});
    }
  };
  std::apply([&](const auto&... field) { (append(field), ...); }, Config::fields());
}

/// References into `config`, which must outlive them.
template <ConfigGroup Config>
FieldList fields_of(Config& config) {
  FieldList list;
  append_fields(list, config, "");
  return list;
}

/// Parses `values` by the field's type and stores them. @param source  where they came from: "train.yaml line 3 column
/// 7"
/// @throws Error kUsage: key, value seen, what is allowed, source
void set_field(const FieldRef& field, const std::vector<std::string>& values, const std::string& source);

/// The current value; a list's items are separated by commas.
std::string field_text(const FieldRef& field);
/// What is allowed, for people: "0 to 1", "one of constant, cosine"; empty when anything is.
std::string allowed_text(const FieldRef& field);
/// "number", "integer", "true or false", "text", "texts"
std::string type_text(const FieldRef& field);

/// @throws Error kUsage with the nearest known key
const FieldRef& find_field(const FieldList& fields, std::string_view key, const std::string& source);

}  // namespace trireme
