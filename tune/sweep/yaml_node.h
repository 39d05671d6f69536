#pragma once
#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "tune/space/value.h"

namespace trireme::tune {

struct YamlMap;

/// The value that a plain word of YAML stands for: `1` an integer, `1.0` and `1e-3` a number, `true` a truth value, all
/// else text; `007` is text, so that a program sees what was written.
Value plain_value(std::string_view text);

/// A place in a YAML file that knows where it is and what it is called. Scalars are read as what a key needs, whatever
/// YAML would make of them: `1e-3` is a number and `no` a text. All accessors throw Error kUsage with what was needed,
/// what is there, line and column.
class YamlNode {
 public:
  /// The file's one document. @param origin  its name, for messages
  static YamlNode parse(std::string_view text, const std::string& origin);

  /// How messages call it: "metric.goal", "parameter width.min".
  const std::string& path() const { return path_; }
  YamlNode named(std::string path) const;
  /// "sweep.yaml line 3 column 7"
  const std::string& where() const { return where_; }

  bool is_map() const { return node_.IsMap(); }
  bool is_list() const { return node_.IsSequence(); }
  bool is_scalar() const { return node_.IsScalar(); }

  YamlMap map() const;
  std::vector<YamlNode> items() const;

  std::string text() const;
  std::int64_t integer(std::int64_t min, std::int64_t max) const;
  double number() const;
  /// Whether number() is spelled without point and exponent.
  bool is_whole() const;
  bool flag() const;
  /// A duration above 0: a number of seconds, or 90s, 45m, 1h30m.
  double seconds() const;
  Value value() const;
  std::string one_of(const std::vector<std::string>& known) const;

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... message) const {
    throw Error(ErrorCode::kUsage, path_, message..., " (", where_, ")");
  }
  /// Whether the same is there, keys in the same order, whatever the layout.
  bool is_same(const YamlNode& other) const;
  /// What is there, for messages: "abc", "a list", "nothing".
  std::string seen() const;

 private:
  struct Document;
  YamlNode(YAML::Node node, std::string path, std::string where, std::shared_ptr<Document> document);
  YamlNode child(const YAML::Node& node, std::string path, const YAML::Node& place) const;

  YAML::Node node_;
  std::string path_, where_;
  std::shared_ptr<Document> document_;
};

/// A mapping's keys, each there once, in the order of the file.
struct YamlMap {
  YamlNode node;
  std::vector<std::pair<std::string, YamlNode>> entries;

  std::optional<YamlNode> find(std::string_view key) const;
  /// @throws Error kUsage for any other key, with the nearest known one, or all of them
  void expect_only(const std::vector<std::string>& known) const;
};

}  // namespace trireme::tune
