#pragma once
#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "tune/store/postgres_server_testing.h"
#include "tune/store/sqlite_database.h"
#include "tune/store/study_store.h"

namespace trireme::tune {

/// A folder for a test's files.
class StudyFolder {
 public:
  StudyFolder() {
    static std::atomic<int> number{0};
    path_ = std::filesystem::temp_directory_path() /
            ("trireme-study-" + std::to_string(::getpid()) + "-" + std::to_string(number++));
    std::filesystem::create_directories(path_);
  }
  ~StudyFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  StudyFolder(const StudyFolder&) = delete;
  StudyFolder& operator=(const StudyFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Runs a test on each kind of database: its parameter is "sqlite" or "postgresql".
class OnEachDatabase : public testing::TestWithParam<std::string> {
 protected:
  bool is_file() const { return GetParam() == "sqlite"; }
  std::string location() {
    if (is_file()) return (folder_.path() / "study.db").string();
    if (database_.empty()) database_ = PostgresServer::shared().make_database();
    return PostgresServer::shared().url(database_);
  }
  StudyStore create() { return StudyStore::create(location(), {"method: random\n", "sweep.yaml"}); }
  /// What another program may do to the tables.
  void change_tables(const std::string& sql) {
    if (is_file())
      SqliteDatabase(location()).execute(sql);
    else
      PostgresServer::shared().execute(database_, sql);
  }
  const std::filesystem::path& folder() const { return folder_.path(); }

 private:
  const StudyFolder folder_;
  std::string database_;
};

inline std::string database_name(const testing::TestParamInfo<std::string>& info) { return info.param; }

/// Runs `work` in a child process, which must open its own store. Its exit status is 1 when it throws.
inline pid_t in_child(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  try {
    work();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "child: %s\n", error.what());
    ::_exit(1);
  }
  ::_exit(0);
}
/// What waitpid says of it: 0 when all went well.
inline int status_of(pid_t child) {
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

/// A proposal that says which trial it is for.
inline std::optional<Proposal> propose_number(const std::vector<Trial>&, std::int64_t number) {
  return Proposal{{{"x", number}}, ""};
}

inline auto throws_error(ErrorCode code, const std::string& text) {
  return testing::Throws<Error>(testing::AllOf(testing::Property("code", &Error::code, code),
                                               testing::Property("what", &Error::what, testing::HasSubstr(text))));
}

}  // namespace trireme::tune
