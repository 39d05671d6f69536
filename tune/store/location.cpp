#include "tune/store/location.h"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme::tune {
namespace {

// RFC 3986, section 2.1. What is no valid escape is left alone.
std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = 0;
    const char* const digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() && std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      decoded += static_cast<char>(byte);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

// Where the query's question mark is, or the end. As in libpq, a user and a password end at the first @ that comes
// before any slash, and may hold question marks.
std::size_t query_begin(const std::string& url) {
  const std::size_t user = url.find("://") + 3, stop = url.find_first_of("@/", user);
  const bool has_user = stop != std::string::npos && url[stop] == '@';
  return std::min(url.find('?', has_user ? stop : user), url.size());
}

// postgresql://user:password@host/database -> postgresql://user@host/database. People forget to escape what is in a
// password, so it ends at the last @.
std::string without_password(const std::string& url) {
  const std::size_t user = url.find("://") + 3, at = url.rfind('@'), colon = url.find(':', user);
  if (at == std::string::npos || colon > at) return url;
  return url.substr(0, colon) + url.substr(at);
}

std::string with_query(const std::string& url, const std::vector<std::string>& query) {
  return query.empty() ? url : url + "?" + join(query, "&");
}

void read_url(const std::string& text, Location& location) {
  const std::size_t mark = query_begin(text);
  const std::string url = text.substr(0, mark);
  std::vector<std::string> query, shown;
  std::istringstream parts(text.substr(std::min(mark + 1, text.size())));
  for (std::string part; std::getline(parts, part, '&');) {
    const std::size_t equal = part.find('=');
    const std::string key = percent_decoded(std::string_view(part).substr(0, equal));
    if (key == "study") {
      location.study = equal == std::string::npos ? "" : percent_decoded(std::string_view(part).substr(equal + 1));
      shown.push_back(part);
      continue;
    }
    query.push_back(part);
    if (key != "password" && key != "sslpassword") shown.push_back(part);
  }
  location.address = with_query(url, query);
  location.shown = with_query(without_password(url), shown);
}

}  // namespace

Location Location::parse(const std::string& text) {
  if (text.empty()) throw Error(ErrorCode::kUsage, "a study needs a place: a path, or postgresql://host/database");
  Location location;
  const std::size_t scheme = text.find("://");
  location.is_url = scheme != std::string::npos;
  location.address = location.shown = text;
  if (!location.is_url) return location;
  const std::string kind = text.substr(0, scheme);
  if (kind != "postgresql" && kind != "postgres")
    throw Error(ErrorCode::kUsage, "a study is kept in a file (a path) or at postgresql://host/database, not at ", kind,
                "://");
  read_url(text, location);
  if (location.study.empty() || location.study.find('\0') != std::string::npos || !is_utf8(location.study))
    throw Error(ErrorCode::kUsage, "study=NAME of ", location.shown, " must be a name in UTF-8 that is not empty");
  return location;
}

}  // namespace trireme::tune
