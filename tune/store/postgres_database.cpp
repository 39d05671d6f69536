#include "tune/store/postgres_database.h"

#include <libpq-fe.h>

#include <array>
#include <charconv>
#include <chrono>
#include <string_view>
#include <thread>

#include "core/base/log.h"
#include "core/base/text.h"

namespace trireme::tune {
namespace {

constexpr Oid kInt8 = 20, kInt4 = 23, kText = 25, kFloat8 = 701;  // pg_type.dat
constexpr std::chrono::seconds kPatience{60};                     // for a server that is started again
constexpr std::size_t kMostShown = 500;                           // of what a server says

// The shortest text that reads back as the same bits; PostgreSQL reads "-0" as such too.
std::string parameter_text(const Cell& cell) {
  if (const auto* integer = std::get_if<std::int64_t>(&cell)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&cell)) return trireme::to_text(*number);
  return std::get<std::string>(cell);
}

Oid parameter_type(const Cell& cell) { return std::array{kInt8, kFloat8, kText}.at(cell.index()); }

template <class T>
T parse(std::string_view text) {
  T value{};
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{})
    throw Error(ErrorCode::kCorrupt, "the server gave \"", text, "\" for a number");
  return value;
}

Cell cell_of(const PGresult* result, int row, int column) {
  const std::string_view text(PQgetvalue(result, row, column),
                              static_cast<std::size_t>(PQgetlength(result, row, column)));
  switch (PQftype(result, column)) {
    case kInt4:
    case kInt8:
      return parse<std::int64_t>(text);
    case kFloat8:
      return parse<double>(text);
    default:
      return std::string(text);
  }
}

// Conflicts with another transaction: serialization failure and deadlock, and what two who make the same tables at the
// same time see (PostgreSQL manual, appendix A).
bool is_conflict(std::string_view state) {
  return state == "40001" || state == "40P01" || state == "23505" || state == "42P07" || state == "42710";
}

// The server ends, or has ended, the connection.
bool is_end(std::string_view state) { return state.starts_with("08") || state.starts_with("57P"); }

}  // namespace

void PostgresDatabase::Free::operator()(pg_conn* connection) const { PQfinish(connection); }
void PostgresDatabase::Free::operator()(pg_result* result) const { PQclear(result); }

PostgresDatabase::PostgresDatabase(std::string url, std::string shown)
    : url_(std::move(url)), shown_(std::move(shown)) {
  // libpq's own message is not shown: it quotes the URL with the password.
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(PQconninfoParse(url_.c_str(), nullptr),
                                                                             PQconninfoFree);
  if (!options)
    throw Error(
        ErrorCode::kUsage, shown_,
        " cannot be read: it must be postgresql://[user[:password]@]host[:port]/database[?study=NAME&...], with "
        "%40 for @ and its like in names and passwords");
  connect();
}

PostgresDatabase::~PostgresDatabase() = default;

void PostgresDatabase::connect() {
  // What stands before dbname may be changed by the URL. Keepalives on both sides: a host that lost its power in a
  // transaction would hold the study for hours otherwise.
  constexpr std::array<const char*, 8> names{
      "connect_timeout",           "keepalives_idle", "keepalives_interval", "keepalives_count",
      "fallback_application_name", "dbname",          "client_encoding",     nullptr};
  const std::array<const char*, 8> values{"10", "30", "10", "3", "trireme-tune", url_.c_str(), "UTF8", nullptr};
  connection_.reset(PQconnectdbParams(names.data(), values.data(), /*expand_dbname=*/1));
  if (!connection_) throw Error(ErrorCode::kOutOfMemory, "no memory is left to connect to ", shown_);
  if (PQstatus(connection_.get()) != CONNECTION_OK)
    throw Error(ErrorCode::kIo, "cannot connect to ", shown_, ": ",
                one_line(PQerrorMessage(connection_.get()), kMostShown));
  PQsetNoticeProcessor(connection_.get(), [](void*, const char*) {}, nullptr);
  run("select set_config('extra_float_digits', '3', false), set_config('lock_timeout', '10min', false),"
      " set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false),"
      " set_config('tcp_keepalives_count', '3', false)");
}

void PostgresDatabase::connect_again() {
  log_warning("the connection to " + shown_ + " was lost; connecting again");
  for (const auto end = std::chrono::steady_clock::now() + kPatience;;) try {
      return connect();
    } catch (const Error&) {
      if (std::chrono::steady_clock::now() > end) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
}

bool PostgresDatabase::is_lost() const { return !connection_ || PQstatus(connection_.get()) != CONNECTION_OK; }

PostgresDatabase::Result PostgresDatabase::run(const std::string& sql, const Row& parameters) {
  std::vector<std::string> texts;
  std::vector<Oid> types;
  for (const Cell& cell : parameters) {
    texts.push_back(parameter_text(cell));
    types.push_back(parameter_type(cell));
    check_text(texts.back());
  }
  std::vector<const char*> pointers;
  for (const std::string& text : texts) pointers.push_back(text.c_str());
  Result result(PQexecParams(connection_.get(), sql.c_str(), static_cast<int>(pointers.size()), types.data(),
                             pointers.data(), nullptr, nullptr, /*resultFormat=*/0));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) fail(result.get());
  return result;
}

void PostgresDatabase::fail(const pg_result* result) {
  const char* const field = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string state = field ? field : "";
  const std::string reason = one_line(PQerrorMessage(connection_.get()), kMostShown);
  if (state.empty() || is_end(state)) connection_.reset();  // libpq's own errors have no state
  if (is_lost() || is_conflict(state))
    throw TransientError(ErrorCode::kIo, "the transaction at ", shown_, " was undone: ", reason);
  if (state == "55P03")  // lock_timeout
    throw Error(ErrorCode::kIo, shown_, " has been in use by others for ten minutes: a stopped process may hold it");
  throw Error(state.starts_with("42") ? ErrorCode::kCorrupt : ErrorCode::kIo, "cannot read or write ", shown_, ": ",
              reason);
}

std::vector<Row> PostgresDatabase::execute(const std::string& sql, const Row& parameters) {
  Result result;
  try {
    result = run(sql, parameters);
  } catch (const TransientError&) {
    if (in_transaction()) throw;
    if (is_lost()) connect_again();
    result = run(sql, parameters);
  }
  std::vector<Row> rows(static_cast<std::size_t>(PQntuples(result.get())));
  for (std::size_t row = 0; row < rows.size(); ++row)
    for (int column = 0; column < PQnfields(result.get()); ++column)
      rows[row].push_back(cell_of(result.get(), static_cast<int>(row), column));
  return rows;
}

bool PostgresDatabase::has_table(const std::string& name) {
  return !execute("select 1 where to_regclass($1) is not null", {name}).empty();
}

double PostgresDatabase::now() {
  return number_of(execute("select cast(extract(epoch from clock_timestamp()) as double precision)").at(0).at(0));
}

void PostgresDatabase::begin() { execute("begin isolation level read committed read write"); }

void PostgresDatabase::commit() try {
  const Result result = run("commit");
  if (std::string_view(PQcmdStatus(result.get())) != "COMMIT")  // of a transaction in which a statement had failed
    throw Error(ErrorCode::kBug, "a transaction went on after an error");
} catch (const TransientError& error) {
  if (!is_lost()) throw;
  throw Error(ErrorCode::kIo, "the connection to ", shown_,
              " was lost during a commit, so whether it took place is not known: ", error.what());
}

void PostgresDatabase::rollback() noexcept {
  if (!is_lost()) Result(PQexec(connection_.get(), "rollback"));
}

}  // namespace trireme::tune
