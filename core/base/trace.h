#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace trireme {

/// A number that says more of an event: {"bytes", 4096}.
struct TraceNumber {
  const char* key = nullptr;
  std::int64_t value = 0;
};
using TraceNumbers = std::array<TraceNumber, 3>;

/// What a thread does when, for people: a file that https://ui.perfetto.dev and chrome://tracing show.
///
/// While one is current on a thread, TraceSpan and whoever else asks for it add to it; else they cost a read of a
/// thread's own pointer. Names and keys are constants.
class Trace {
 public:
  using Nanoseconds = std::int64_t;
  Trace() : zero_(now()) {}

  /// The one of this thread, or null.
  static Trace* current() { return current_; }
  /// @param trace  null: none; outlives what it is current for
  static void make_current(Trace* trace) { current_ = trace; }
  /// Of a clock that all processes of a machine share.
  static Nanoseconds now();

  /// Something that a thread did from `begin` until `end`, and nothing else but what it did within that.
  void add(const char* category, const char* name, Nanoseconds begin, Nanoseconds end, const TraceNumbers& numbers);
  /// Something that went on beside: it may overlap with others.
  void add_beside(const char* category, const char* name, Nanoseconds begin, Nanoseconds end,
                  const TraceNumbers& numbers);

  /// The events so far in Chrome's JSON, times in microseconds from the beginning of the trace.
  /// @param process  shown as the name of the process, under `number`
  /// Source: Duca, Sinclair, "Trace Event Format"; complete events (X) and nestable asynchronous ones (b, e).
  std::string to_json(const std::string& process, int number) const;

 private:
  struct Event {
    const char *category, *name;
    Nanoseconds begin, end;
    bool beside;
    TraceNumbers numbers;
  };
  static inline thread_local Trace* current_ = nullptr;
  Nanoseconds zero_;
  std::vector<Event> events_;
};

/// From here to the end of the scope.
class TraceSpan {
 public:
  TraceSpan(const char* category, const char* name, const TraceNumbers& numbers = {})
      : trace_(Trace::current()), category_(category), name_(name), numbers_(numbers) {
    if (trace_) begin_ = Trace::now();
  }
  ~TraceSpan() {
    if (trace_) trace_->add(category_, name_, begin_, Trace::now(), numbers_);
  }
  TraceSpan(const TraceSpan&) = delete;
  TraceSpan& operator=(const TraceSpan&) = delete;

 private:
  Trace* const trace_;
  const char *const category_, *const name_;
  const TraceNumbers numbers_;
  Trace::Nanoseconds begin_ = 0;
};

/// Categories, by which figures are taken from a trace. What waits may lie within what computes.
inline constexpr const char *kTraceCompute = "compute", *kTraceWait = "wait", *kTraceData = "data",
                            *kTraceCheckpoint = "checkpoint";

}  // namespace trireme
