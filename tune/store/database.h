#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/error.h"

namespace trireme::tune {

/// What a column of a row or a parameter of a statement holds; there are no nulls in our tables.
using Cell = std::variant<std::int64_t, double, std::string>;
using Row = std::vector<Cell>;

/// A connection to an SQL database, as far as a study needs one. Statements are written once, in what SQLite (3.35) and
/// PostgreSQL (9.6) have in common; what differs between them is a function here.
///
/// Used by one thread at a time, and by the process that made it: a child of fork() must open its own.
class Database {
 public:
  Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  virtual ~Database() = default;

  /// Runs one statement; $1, $2, ... in it are the parameters. Outside of transaction() only for reading: it may then
  /// be run again, where the connection was lost.
  /// @throws Error kBadInput: a text that is not UTF-8 or holds a NUL byte; kIo, kCorrupt: as the database says
  virtual std::vector<Row> execute(const std::string& sql, const Row& parameters = {}) = 0;

  /// Runs `work` as one transaction: all of it is there and durable when this returns, or nothing of it when `work`
  /// returns false or anything throws. Work that begins with a write has the rows it wrote to itself, and sees what
  /// others committed before. It is run again after a TransientError, so what it changes in memory must bear that.
  void transaction(const std::function<bool()>& work);

  virtual bool has_table(const std::string& name) = 0;
  /// Seconds since 1970 by the clock that all who use this database share.
  virtual double now() = 0;

 protected:
  virtual void begin() = 0;
  virtual void commit() = 0;
  virtual void rollback() noexcept = 0;

  bool in_transaction() const { return in_transaction_; }
  /// What all databases must refuse that one of them cannot store.
  static void check_text(const std::string& text);

 private:
  void try_transaction(const std::function<bool()>& work);
  bool in_transaction_ = false;
};

/// The transaction is undone by no fault of its own (a conflict with another one, a lost connection) and may be tried
/// again.
class TransientError : public Error {
 public:
  using Error::Error;
};

/// A cell by its type. @throws Error kCorrupt when it has another one: somebody else wrote to our tables
std::int64_t integer_of(const Cell& cell);
double number_of(const Cell& cell);
const std::string& text_of(const Cell& cell);

}  // namespace trireme::tune
