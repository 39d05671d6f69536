#pragma once
#include <memory>
#include <string>

#include "tune/store/database.h"

struct pg_conn;
struct pg_result;

namespace trireme::tune {

/// A connection to a PostgreSQL database. Transactions are READ COMMITTED: those that begin by writing to the same row
/// come one after another, in the order in which they asked. Times are the server's, so hosts agree on them.
///
/// A connection that was lost (the server was started again, a network had a break) is made anew for up to a minute,
/// and the transaction is run again, unless it was lost during the commit itself: then nobody knows whether it is
/// there.
class PostgresDatabase final : public Database {
 public:
  /// @param url    as libpq takes it (PostgreSQL manual, section 34.1.1.2)
  /// @param shown  the same without a password, for messages
  /// @throws Error kUsage: not a URL that libpq reads; kIo: no connection, with the server's or system's reason
  PostgresDatabase(std::string url, std::string shown);
  ~PostgresDatabase() override;

  std::vector<Row> execute(const std::string& sql, const Row& parameters = {}) override;
  bool has_table(const std::string& name) override;
  double now() override;

 private:
  struct Free {
    void operator()(pg_conn* connection) const;
    void operator()(pg_result* result) const;
  };
  using Result = std::unique_ptr<pg_result, Free>;

  void begin() override;
  void commit() override;
  void rollback() noexcept override;

  void connect();
  void connect_again();
  bool is_lost() const;
  Result run(const std::string& sql, const Row& parameters = {});
  [[noreturn]] void fail(const pg_result* result);

  const std::string url_, shown_;
  std::unique_ptr<pg_conn, Free> connection_;
};

}  // namespace trireme::tune
