#pragma once
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tune/sweep/sweep.h"

namespace trireme::tune {

/// Finds a trial's result in what its program writes: the last line that is a JSON object with a number for each
/// objective. All other lines are passed over.
///
/// `eval.validation.loss` is a member of that name, or `loss` in `validation` in `eval`. JSON has no word for what is
/// not a finite number, so programs have several: NaN, Infinity and -Infinity (Python), null (JavaScript), and the
/// texts "nan", "inf" and the like. All of them count as numbers here, and so does one that is too large for a double,
/// as infinite. A record whose member is something else, "diverged" or false, is one too, and has no result: a program
/// that says so last must not be judged by what it said before.
class MetricRecords {
 public:
  /// Longer lines are no records: what a program may take of our memory has an end.
  static constexpr std::size_t kLongestLine = std::size_t{1} << 20;

  explicit MetricRecords(const std::vector<Objective>& objectives);

  /// What comes next, in pieces of any size.
  void read(std::string_view bytes);
  /// The last line may come without its end.
  void end();
  /// All that is in a file, as far as there is one that can be read.
  void read_file(const std::filesystem::path& path);

  /// One an objective, of the last record.
  const std::optional<std::vector<double>>& values() const { return values_; }
  /// Why there are none: "no record with eval_loss; the last one has loss, step". Empty where nothing was a record.
  std::string missing() const;
  /// Whether there was a record at all, if only one that has something else than a number.
  bool has_record() const { return values_ || !unusable_.empty(); }

 private:
  void take_line(std::string_view line);
  bool mentions_all(std::string_view line) const;

  std::vector<std::string> names_;
  std::vector<std::string> words_;  // what a line that has the names holds
  std::string line_;                // what has come of it
  bool is_too_long_ = false;
  std::string last_object_;  // a line that had not all names
  std::string unusable_;     // why the last record has no result: "loss is "diverged" in the last record, which ..."
  std::optional<std::vector<double>> values_;
};

}  // namespace trireme::tune
