#pragma once
#include <cstdint>
#include <optional>

namespace trireme::train {

/// When a start of a run has to stop, so that it is saved and has ended before its time limit (--time-limit).
///
/// What a save will take is twice the longest one so far; before the first, what the checkpoint's bytes take at
/// 200 MB/s, a slow network disk. A second more is left for the end of all ranks. Times are seconds since the start of
/// the process; only rank 0's clock is asked, since clocks and starts differ.
class Deadline {
 public:
  /// @param limit  nothing: never
  Deadline(std::optional<double> limit, std::int64_t checkpoint_bytes);

  void step_took(double seconds);
  void save_took(double seconds);
  /// Whether only saving still fits.
  bool passed(double now) const;
  /// Whether saving would no longer fit after one more step as long as the longest so far, of which this one has taken
  /// so many seconds.
  bool passes_in_next_step(double now, double step_seconds) const;

 private:
  std::optional<double> limit_;
  double save_, longest_step_ = 0;
  bool has_saved_ = false;
};

}  // namespace trireme::train
