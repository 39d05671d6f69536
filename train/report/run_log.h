#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "train/loop/step_record.h"

namespace trireme::train {

/// A file of lines that another process appends to, or replaces, meanwhile.
class FollowedLines {
 public:
  explicit FollowedLines(std::filesystem::path path) : path_(std::move(path)) {}

  /// Gives each line that has come since, whole ones only, without its end. A file that is another one than before, or
  /// shorter, is read from its beginning, after `restart`. A file that is not there has no lines.
  /// @returns whether anything came
  /// @throws Error kIo; kBadInput for a line of over 64 MiB
  bool update(const std::function<void()>& restart, const std::function<void(std::string_view)>& line);

 private:
  std::filesystem::path path_;
  std::uint64_t device_ = 0, inode_ = 0, offset_ = 0;
};

/// What the logs of a run hold (docs/formats/run.md), for those who look at it from outside, on any machine that sees
/// its files. Nothing is written, and the run may be under way. Lines that are no records are passed over and counted;
/// a number that a record lacks is NaN.
class RunLog {
 public:
  /// What happened, but for evaluations and samples, which are kept apart.
  struct Event {
    std::string name;
    std::int64_t step = 0;
    double time = 0;                                           ///< seconds since 1970; 0 when the record has none
    std::vector<std::pair<std::string, std::string>> details;  ///< further members, as text
    const std::string* find(std::string_view member) const;
  };
  struct Sample {
    std::int64_t step = 0, number = 1;
    std::string prompt, text;
  };
  /// One evaluation set, or the same with averaged weights.
  struct Evaluations {
    std::vector<double> steps, loss, bits_per_byte, accuracy;
  };

  /// @throws Error kNotFound when `run` is no run's directory
  explicit RunLog(std::filesystem::path run);

  /// Reads what has come since. @returns whether anything has  @throws Error kIo, kBadInput
  bool update();

  const std::filesystem::path& run() const { return run_; }
  std::size_t records() const { return steps_.size(); }
  const std::vector<double>& steps() const { return steps_; }
  const std::vector<double>& times() const { return times_; }
  /// A number a record; its place in kMetrics.
  const std::vector<double>& column(std::size_t metric) const { return columns_[metric]; }
  template <class Value>
  const std::vector<double>& column(Value StepRecord::* member) const {
    return columns_[index_of(member)];
  }
  const std::map<std::string, Evaluations>& evaluations() const { return evaluations_; }
  const std::vector<Event>& events() const { return events_; }
  const std::vector<Sample>& samples() const { return samples_; }
  std::int64_t lines_passed_over() const { return metrics_passed_over_ + events_passed_over_; }
  /// Of config.yaml, groups as dotted keys; empty when it cannot be read.
  const std::vector<std::pair<std::string, std::string>>& config() const { return config_; }
  /// A config key as a number, NaN when it is none.
  double config_number(std::string_view key) const;
  /// Of the log's last change, seconds since 1970.
  double last_change() const;

 private:
  void read_metrics(std::string_view line);
  void read_event(std::string_view line);
  void read_config();

  std::filesystem::path run_;
  FollowedLines metrics_file_, events_file_;
  std::vector<double> steps_, times_;
  std::array<std::vector<double>, kMetrics.size()> columns_;
  std::map<std::string, Evaluations> evaluations_;
  std::vector<Event> events_;
  std::vector<Sample> samples_;
  std::int64_t metrics_passed_over_ = 0, events_passed_over_ = 0;
  std::vector<std::pair<std::string, std::string>> config_;
};

}  // namespace trireme::train
