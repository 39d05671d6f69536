#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "train/report/run_log.h"

namespace trireme::train {

/// How a run stands, in figures for people: what the page and the terminal view show beside curves.
struct Summary {
  enum class State {
    kComplete,  ///< its end is in the log
    kRunning,   ///< the log has changed lately
    kStopped    ///< its log says so, or it is neither: interrupted, or lost
  };
  struct Figure {
    std::string label, value, note;
  };

  std::string name;  ///< of the directory, as UTF-8
  State state = State::kStopped;
  double step = 0, steps = 0;  ///< done, and asked for (0 when unknown)
  double seconds_left = -1;    ///< of a run under way; negative when unknown
  std::vector<Figure> figures;
};

/// @param now  seconds since 1970
Summary summarise(const RunLog& log, double now);

/// In this machine's time zone. @param format  of strftime
std::string local_time(double seconds_since_1970, const char* format);

/// "running", ...
const char* state_text(Summary::State state);

/// The events that a person looks for on the axis: all but what every run has plenty of or only one.
bool is_marked(const RunLog::Event& event);

/// An event in words, without its step and time: "resumed: ranks 2, threads 1".
std::string event_text(const RunLog::Event& event);

}  // namespace trireme::train
