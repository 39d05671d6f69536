#pragma once
#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"

namespace trireme::tune {

/// A PostgreSQL server of its own for a test program, in a temporary folder and reached by a socket in there alone. It
/// ends with the object, and with the process where that is killed. PostgreSQL refuses to run as root, so root's tests
/// run it as another user.
class PostgresServer {
 public:
  /// The one of this program, made when it is first asked for: that takes some seconds.
  static PostgresServer& shared() {
    static PostgresServer server;
    return server;
  }

  /// @throws Error kNotFound: PostgreSQL is not installed; kIo: it does not start, with its log
  PostgresServer() : folder_(make_folder()) {
    if (::geteuid() == 0) {
      user_ = ::getpwnam("postgres");
      if (!user_) user_ = ::getpwnam("nobody");
      if (!user_ || ::chown(folder_.c_str(), user_->pw_uid, user_->pw_gid) != 0)
        throw Error(ErrorCode::kNotFound, "root needs a user postgres or nobody to run PostgreSQL as");
    }
    const pid_t init =
        run({program("initdb"), "-D", data(), "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"});
    int status = 0;
    ::waitpid(init, &status, 0);
    if (status != 0) throw Error(ErrorCode::kIo, "initdb failed: ", log());
    start();
  }
  ~PostgresServer() {
    if (::getpid() != owner_) return;  // a child of fork() that did not end by _exit
    stop();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  void start() {
    // No fsync: what is tested here survives our processes, not the machine.
    server_ = run({program("postgres"), "-D", data(), "-k", folder_, "-c", "listen_addresses=", "-c", "fsync=off", "-c",
                   "max_connections=200"});
    for (int tries = 0; PQping(url("postgres").c_str()) != PQPING_OK; ++tries) {
      if (tries == 600) throw Error(ErrorCode::kIo, "PostgreSQL does not start: ", log());
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  /// Ends all connections, as a restart or a crash does.
  void stop(int signal = SIGINT) {
    ::kill(server_, signal);
    ::waitpid(server_, nullptr, 0);
  }

  /// @param extra  what else is in the query: "&study=a"
  std::string url(const std::string& database, const std::string& extra = "") const {
    return "postgresql:///" + database + "?host=" + folder_ + "&user=tester" + extra;
  }
  /// An empty database of a new name. @returns the name
  std::string make_database() {
    const std::string name = "test" + std::to_string(++databases_);
    execute("postgres", "create database " + name);
    return name;
  }
  void execute(const std::string& database, const std::string& sql) const {
    PGconn* const connection = PQconnectdb(url(database).c_str());
    PGresult* const result = PQexec(connection, sql.c_str());
    const ExecStatusType status = PQresultStatus(result);
    const std::string reason = one_line(PQerrorMessage(connection), 500);
    PQclear(result);
    PQfinish(connection);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) throw Error(ErrorCode::kIo, sql, ": ", reason);
  }

 private:
  // A short path: a socket's name has 107 bytes.
  static std::string make_folder() {
    std::string name = "/tmp/trireme-postgres-" + std::to_string(::getpid()) + "-XXXXXX";
    if (!::mkdtemp(name.data())) throw Error(ErrorCode::kIo, "cannot make a folder in /tmp");
    return name;
  }
  static std::string program(const std::string& name) {
    std::vector<std::string> folders;
    const char* const path = std::getenv("PATH");
    std::istringstream parts(path ? path : "");
    for (std::string part; std::getline(parts, part, ':');) folders.push_back(part);
    std::error_code none;
    for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql", none))
      folders.push_back(version.path().string() + "/bin");
    for (const std::filesystem::path folder : folders)
      if (::access((folder / name).c_str(), X_OK) == 0) return folder / name;
    throw Error(ErrorCode::kNotFound, "no ", name,
                " in PATH or /usr/lib/postgresql/*/bin: install PostgreSQL's server");
  }
  pid_t run(const std::vector<std::string>& words) const {
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const pid_t child = ::fork();
    if (child != 0) return child;
    if (user_ && (::setgroups(0, nullptr) != 0 || ::setgid(user_->pw_gid) != 0 || ::setuid(user_->pw_uid) != 0))
      ::_exit(127);
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
    const int out = ::open((folder_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, 1);
    ::dup2(out, 2);
    if (::chdir(folder_.c_str()) == 0) ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  std::string data() const { return folder_ + "/data"; }
  std::string log() const { return one_line(read_file(folder_ + "/log"), 2000); }

  const pid_t owner_ = ::getpid();
  const std::string folder_;
  const passwd* user_ = nullptr;
  pid_t server_ = -1;
  int databases_ = 0;
};

}  // namespace trireme::tune
