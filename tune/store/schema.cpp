#include "tune/store/schema.h"

#include <vector>

namespace trireme::tune {
namespace {

using Migration = std::vector<std::string>;  // statements that bring version i to i + 1

// What has been released is never changed here: another shape of the tables is another migration.
const std::vector<Migration>& migrations() {
  static const std::vector<Migration> all{
      {
          R"(create table trireme_tune_format (version bigint not null primary key))",
          R"(create table trireme_tune_study (
               name text not null primary key,
               sweep text not null,
               origin text not null,
               created double precision not null,
               revision bigint not null))",
          R"(create table trireme_tune_trial (
               study text not null references trireme_tune_study (name) on delete cascade,
               number bigint not null check (number >= 0),
               revision bigint not null,
               state text not null check (state in ('waiting', 'running', 'complete', 'failed', 'infeasible')),
               parameters text not null,
               result text not null,
               note text not null,
               reason text not null,
               attempt bigint not null,
               worker text not null,
               created double precision not null,
               started double precision not null,
               ended double precision not null,
               lease_until double precision not null,
               primary key (study, number)))",
          R"(create index trireme_tune_trial_revision on trireme_tune_trial (study, revision))",
          R"(insert into trireme_tune_format (version) values (0))",
      },
  };
  return all;
}

}  // namespace

std::int64_t newest_schema() { return static_cast<std::int64_t>(migrations().size()); }

std::int64_t schema_version(Database& database, const std::string& shown) {
  if (!database.has_table("trireme_tune_format")) return 0;
  const auto rows = database.execute("select version from trireme_tune_format");
  const std::int64_t version = rows.empty() ? -1 : integer_of(rows[0].at(0));
  if (rows.size() != 1 || version < 1) throw Error(ErrorCode::kCorrupt, shown, " has no version in its tables");
  if (version > newest_schema())
    throw Error(ErrorCode::kBadInput, shown, " has format ", version, "; this program knows formats up to ",
                newest_schema(), ": use a newer trireme-tune");
  return version;
}

void migrate_schema(Database& database, std::int64_t from) {
  for (std::int64_t version = from; version < newest_schema(); ++version)
    for (const std::string& statement : migrations()[static_cast<std::size_t>(version)]) database.execute(statement);
  database.execute("update trireme_tune_format set version = $1", {newest_schema()});
}

}  // namespace trireme::tune
