#include "tune/store/sqlite_database.h"

#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <random>
#include <string_view>
#include <thread>

#include "core/base/durable.h"
#include "core/base/files.h"
#include "tune/store/mount.h"

namespace trireme::tune {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kApplicationId = 0x54725475;  // "TrTu"; file(1) and others show it

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

// Waits between two questions whether the file is free.
class Patience {
 public:
  // @returns false when it is at its end
  bool wait() {
    if (Clock::now() - begin_ > kMost) return false;
    // All ask equally often, or those who came later would go first; and rarely enough that many who wait leave the
    // processors to the one who is at work.
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(pause_ms_(random_)));
    return true;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::minutes kMost{10};
  const Clock::time_point begin_ = Clock::now();
  std::uniform_real_distribution<> pause_ms_{0, 10};
  std::minstd_rand random_{std::random_device{}()};  // decides over nothing but when to ask
};

void refuse_network(const fs::path& folder, const fs::path& path) {
  const std::string type = network_file_system(folder);
  if (type.empty()) return;
  throw Error(
      ErrorCode::kUsage, path.string(), " lies on a network file system (", type,
      "), where SQLite cannot keep writers apart: take a local disk, or for several hosts a PostgreSQL database "
      "(postgresql://host/database)");
}

// An absolute path, since SQLite gives names like ":memory:" and "file:..." a meaning of their own.
fs::path existing_file(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) throw Error(ErrorCode::kNotFound, "there is no study ", path.string());
  if (error) throw Error(ErrorCode::kIo, "cannot open ", path.string(), ": ", error.message());
  if (fs::is_directory(status)) throw Error(ErrorCode::kBadInput, path.string(), " is a folder, not a study");
  refuse_network(path, path);
  return fs::absolute(path);
}

bool may_write(const fs::path& path) { return ::access(path.c_str(), W_OK) == 0 || errno == ENOENT; }

// Of a file that we may not write to. Where nobody has it open there is no log, and SQLite would try to make the log's
// index: it has to be told that the file does not change.
std::string read_only_uri(const fs::path& path) {
  std::string uri = "file:";
  for (const char c : path.string()) {
    constexpr std::string_view kSpecial = "%?#";
    if (kSpecial.find(c) == std::string_view::npos) {
      uri += c;
    } else {
      constexpr const char* kDigits = "0123456789abcdef";
      uri += {'%', kDigits[c / 16], kDigits[c % 16]};
    }
  }
  std::error_code error;
  return uri + (fs::exists(path.string() + "-wal", error) ? "?mode=ro" : "?immutable=1");
}

int bind(sqlite3_stmt* statement, int place, const Cell& cell) {
  if (const auto* integer = std::get_if<std::int64_t>(&cell)) return sqlite3_bind_int64(statement, place, *integer);
  if (const auto* number = std::get_if<double>(&cell)) return sqlite3_bind_double(statement, place, *number);
  const auto& text = std::get<std::string>(cell);
  return sqlite3_bind_text64(statement, place, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

Cell column(sqlite3_stmt* statement, int place) {
  switch (sqlite3_column_type(statement, place)) {
    case SQLITE_INTEGER:
      return std::int64_t{sqlite3_column_int64(statement, place)};
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, place);
    default: {
      const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(statement, place));
      return std::string(text ? text : "", static_cast<std::size_t>(sqlite3_column_bytes(statement, place)));
    }
  }
}

}  // namespace

void SqliteDatabase::Close::operator()(sqlite3* connection) const { sqlite3_close(connection); }

SqliteDatabase::SqliteDatabase(fs::path path, Open open) : path_(std::move(path)) {
  const bool reads = open == Open::kReadOnly;
  const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (reads ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI : SQLITE_OPEN_READWRITE) |
                    (open == Open::kNew ? SQLITE_OPEN_CREATE : 0);
  sqlite3* connection = nullptr;
  const int code =
      sqlite3_open_v2((reads ? read_only_uri(path_) : path_.string()).c_str(), &connection, flags, nullptr);
  connection_.reset(connection);  // there even where opening failed
  if (code != SQLITE_OK) fail(code);
  execute("pragma synchronous = full");
  execute("pragma foreign_keys = on");
}

SqliteDatabase::SqliteDatabase(const fs::path& path)
    : SqliteDatabase(existing_file(path), may_write(path) ? Open::kExisting : Open::kReadOnly) {
  check_mark();
  if (sqlite3_db_readonly(connection_.get(), "main") == 1) return;
  const auto mode = execute("pragma journal_mode = wal");
  if (text_of(mode.at(0).at(0)) != "wal")
    throw Error(ErrorCode::kIo, path_.string(), " lies where SQLite cannot keep a log (WAL) beside it");
}

SqliteDatabase::~SqliteDatabase() = default;

void SqliteDatabase::check_mark() {
  if (integer_of(execute("pragma application_id").at(0).at(0)) != kApplicationId)
    throw Error(ErrorCode::kBadInput, path_.string(), " is no study: it is an SQLite database of another program");
}

void SqliteDatabase::create(const fs::path& path, const std::function<void(Database&)>& fill) {
  const fs::path full = fs::absolute(path), folder = full.parent_path();
  const auto refuse_taken = [&] { throw Error(ErrorCode::kUsage, path.string(), " is there already"); };
  std::error_code error;
  if (!fs::is_directory(folder, error)) throw Error(ErrorCode::kUsage, "there is no folder ", folder.string());
  if (::access(folder.c_str(), W_OK | X_OK) != 0)  // SQLite would say that there is no such file
    throw Error(ErrorCode::kUsage, "no file can be made in the folder ", folder.string(), ": ", system_reason(errno));
  if (fs::exists(fs::symlink_status(full, error))) refuse_taken();
  refuse_network(folder, path);
  const fs::path log = full.string() + "-wal";
  if (fs::exists(log, error))  // SQLite would fold it into the new file
    throw Error(ErrorCode::kUsage, log.string(), " was left by a study that is gone: remove it first");

  const fs::path fresh = full.string() + ".tmp-" + unique_token();
  constexpr const char* kObject = "study";
  try {
    {
      SqliteDatabase database(fresh, Open::kNew);
      database.execute("pragma application_id = " + std::to_string(kApplicationId));
      fill(database);
    }
    if (!move_new(fresh, full, kObject)) refuse_taken();
  } catch (...) {
    std::error_code ignored;
    for (const char* part : {"", "-journal"}) fs::remove(fresh.string() + part, ignored);
    throw;
  }
  sync_folder(folder, kObject);
}

int SqliteDatabase::run(const std::string& sql, const Row& parameters, std::vector<Row>& rows) {
  sqlite3_stmt* prepared = nullptr;
  int code = sqlite3_prepare_v2(connection_.get(), sql.c_str(), -1, &prepared, nullptr);
  const Statement statement(prepared);
  for (std::size_t i = 0; code == SQLITE_OK && i < parameters.size(); ++i) {
    const std::string name = "$" + std::to_string(i + 1);
    code = bind(prepared, sqlite3_bind_parameter_index(prepared, name.c_str()), parameters[i]);
  }
  if (code != SQLITE_OK) return code;
  while ((code = sqlite3_step(prepared)) == SQLITE_ROW) {
    Row& row = rows.emplace_back();
    for (int i = 0; i < sqlite3_column_count(prepared); ++i) row.push_back(column(prepared, i));
  }
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

std::vector<Row> SqliteDatabase::execute(const std::string& sql, const Row& parameters) {
  for (const Cell& cell : parameters)
    if (const auto* text = std::get_if<std::string>(&cell)) check_text(*text);
  for (std::optional<Patience> patience;;) {
    std::vector<Row> rows;
    const int code = run(sql, parameters, rows);
    if (code == SQLITE_OK) return rows;
    // SQLITE_PROTOCOL: the same in the words of WAL's index. Inside a transaction neither comes: it has the lock.
    const bool is_busy = (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_PROTOCOL;
    if (!is_busy || in_transaction()) fail(code);
    if (!patience) patience.emplace();
    if (!patience->wait()) fail(code);
  }
}

void SqliteDatabase::fail(int code) const {
  const std::string name = path_.string();
  const int reason = sqlite3_system_errno(connection_.get());
  const std::string text = std::string(sqlite3_errstr(code)) + (reason != 0 ? " (" + system_reason(reason) + ")" : "");
  switch (code & 0xff) {
    case SQLITE_NOTADB:
      throw Error(ErrorCode::kBadInput, name, " is no study: it is no SQLite database");
    case SQLITE_BUSY:
    case SQLITE_PROTOCOL:
      throw Error(ErrorCode::kIo, name, " has been in use by others for ten minutes: a stopped process may hold it");
    case SQLITE_NOMEM:
      throw Error(ErrorCode::kOutOfMemory, "no memory is left to read or write ", name);
    case SQLITE_TOOBIG:
      throw Error(ErrorCode::kBadInput, "a text is too long for ", name, ": at most 1,000,000,000 bytes");
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      throw Error(ErrorCode::kIo, "cannot read or write ", name, ": ", text);
    default:
      throw Error(ErrorCode::kCorrupt, name,
                  " is damaged or was changed by another program: ", sqlite3_errmsg(connection_.get()));
  }
}

bool SqliteDatabase::has_table(const std::string& name) {
  return !execute("select 1 from sqlite_master where type = 'table' and name = $1", {name}).empty();
}

double SqliteDatabase::now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void SqliteDatabase::begin() {
  int moved = 0;
  sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  if (moved != 0) throw Error(ErrorCode::kNotFound, path_.string(), " was moved or removed while it was in use");
  execute("begin immediate");
}

void SqliteDatabase::commit() { execute("commit"); }

void SqliteDatabase::rollback() noexcept {
  std::vector<Row> none;  // SQLite itself has undone what a full disk stopped
  if (sqlite3_get_autocommit(connection_.get()) == 0) run("rollback", {}, none);
}

}  // namespace trireme::tune
