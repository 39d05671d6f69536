#pragma once
#include <cstdint>
#include <string>

#include "tune/store/database.h"

namespace trireme::tune {

/// The tables of studies, which docs/formats/study.md describes, and how they came to be: a list of migrations, each of
/// which brings a database from one version to the next. Version 0 is a database without our tables.
std::int64_t newest_schema();

/// @returns the version of the tables that are there. @param shown  the place, for the message
/// @throws Error kBadInput: a newer one than this program knows
std::int64_t schema_version(Database& database, const std::string& shown);

/// Brings the tables to the newest version; inside of a transaction.
void migrate_schema(Database& database, std::int64_t from);

}  // namespace trireme::tune
