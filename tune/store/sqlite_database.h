#pragma once
#include <filesystem>
#include <functional>
#include <memory>

#include "tune/store/database.h"

struct sqlite3;

namespace trireme::tune {

/// An SQLite file of ours (its application_id says so), for any number of processes of one host. The log of changes
/// (WAL) is synced at every commit; whoever closes the file last folds it in, so that a file at rest stands alone.
///
/// SQLite answers "busy" when others are at work, and its own waiting lets newcomers ask more often than those who have
/// waited. Here all ask at random moments until they get their turn, for up to ten minutes. Transactions take the write
/// lock at their beginning: one that had read before could not wait for it.
class SqliteDatabase final : public Database {
 public:
  /// @throws Error kNotFound; kBadInput: no SQLite file, or another program's; kUsage: on a network file system (hosts
  /// share the file there, but not the memory that WAL's index lies in: https://sqlite.org/wal.html, "Overview"); kIo.
  /// A file that we may not write to is opened for reading: every change is then kIo.
  explicit SqliteDatabase(const std::filesystem::path& path);
  ~SqliteDatabase() override;

  /// Makes a file: `fill` writes to it under another name, which is then changed. So nobody sees half of it, and
  /// nothing is left when `fill` throws or the disk is full.
  /// @throws Error kUsage: the name is taken, no folder, a network file system; kIo
  static void create(const std::filesystem::path& path, const std::function<void(Database&)>& fill);

  std::vector<Row> execute(const std::string& sql, const Row& parameters = {}) override;
  bool has_table(const std::string& name) override;
  double now() override;

 private:
  enum class Open { kNew, kExisting, kReadOnly };
  SqliteDatabase(std::filesystem::path path, Open open);

  void begin() override;
  void commit() override;
  void rollback() noexcept override;

  int run(const std::string& sql, const Row& parameters, std::vector<Row>& rows);
  void check_mark();
  [[noreturn]] void fail(int code) const;

  struct Close {
    void operator()(sqlite3* connection) const;
  };
  std::filesystem::path path_;
  std::unique_ptr<sqlite3, Close> connection_;
};

}  // namespace trireme::tune
