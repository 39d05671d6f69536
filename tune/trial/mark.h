#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tune/store/study_store.h"

namespace trireme::tune {

/// What every process of a trial carries in its environment. Children inherit it, so that they are found in
/// /proc/PID/environ whoever their parent is by then, also by a runner that did not start them. A process that wipes
/// its environment out is not found, nor one of another user or host.
struct Mark {
  static constexpr const char* kVariable = "TRIREME_TUNE_MARK";

  std::string study;  ///< study_token()
  std::int64_t trial = 0;
  std::int64_t attempt = 0;

  /// The variable's value. A command that itself runs a sweep gives its trials both marks, separated by a space.
  std::string text() const;
};

/// Tells a study from all others of this host: from another in its place, and from a copy of its file.
std::string study_token(const StudyStore& store);

/// Processes of the mark's trial, of its attempt and of all before it.
std::vector<pid_t> find_marked(const Mark& mark);

}  // namespace trireme::tune
