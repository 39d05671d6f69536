#pragma once
#include <string>

namespace trireme::tune {

/// Where a study is kept, as a user writes it: a path, or the URL of a PostgreSQL database with `study=NAME` among what
/// follows its question mark (several studies may share a database; without a name it is "default").
struct Location {
  bool is_url = false;
  std::string address;  ///< the path; or the URL as libpq takes it, without `study`
  std::string study = "default";
  std::string shown;  ///< for messages: the location without a password, neither user:password@ nor password=

  /// @throws Error kUsage: an empty text, a URL of another kind, an empty name of a study
  static Location parse(const std::string& text);
};

}  // namespace trireme::tune
