#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "tune/store/database.h"
#include "tune/store/trial.h"

namespace trireme::tune {

/// The trials of one study as rows of its table. All functions are meant for inside a transaction that has drawn
/// `revision` from the study; read_changes may also stand alone.
class TrialRows {
 public:
  TrialRows(Database& database, std::string study) : database_(&database), study_(std::move(study)) {}

  /// Brings `trials` up to date with what has changed beyond `revision`. @returns the newest revision that was read
  std::int64_t read_changes(std::vector<Trial>& trials, std::int64_t revision) const;
  /// @throws Error kBadInput: a number that is not finite, a parameter that is there twice, text that is not UTF-8
  void insert(const Trial& trial, std::int64_t revision) const;
  /// All but what never changes: number, parameters, note, created.
  void update(const Trial& trial, std::int64_t revision) const;

 private:
  Database* database_;
  std::string study_;
};

}  // namespace trireme::tune
