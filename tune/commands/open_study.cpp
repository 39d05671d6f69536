#include "tune/commands/open_study.h"

#include <array>
#include <fstream>
#include <string_view>

#include "core/base/error.h"
#include "core/base/files.h"

namespace trireme::tune {

void refuse_sweep_file(const std::string& location) {
  const std::string tail = fs::path(location).extension();
  if (tail == ".yaml" || tail == ".yml")
    throw Error(ErrorCode::kUsage, location, " is named like a sweep file, where a study is due: trireme-tune run ",
                location, " makes one and goes through it, trireme-tune create STUDY ", location, " only makes it");
}

Study open_study(const std::string& location) {
  refuse_sweep_file(location);
  return Study::open(location);
}

Sweep open_sweep(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) throw Error(ErrorCode::kUsage, path, " is a folder, where a sweep file is due");
  constexpr std::string_view kStudy = "SQLite format 3";
  std::array<char, kStudy.size()> head{};
  std::ifstream(path).read(head.data(), head.size());
  if (std::string_view(head.data(), head.size()) == kStudy)
    throw Error(ErrorCode::kUsage, path, " is a study, where a sweep file is due: trireme-tune resume ", path,
                " goes on with it");
  return read_sweep(path);
}

}  // namespace trireme::tune
