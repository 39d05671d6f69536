#pragma once
#include <string>

#include "tune/commands/open_study.h"

namespace trireme::tune {

/// `trireme-tune export`
struct ExportOptions {
  std::string study;
  std::string out;
  std::string format = "csv";

  static constexpr auto fields() {
    using C = ExportOptions;
    return std::tuple{
        Field{"study", &C::study, kStudyHelp, kRequired},
        Field{"out", &C::out, "the file to write, which may be there already; none: stdout"},
        Field{"format", &C::format, "a table with a line of titles, or a JSON object a line", OneOf("csv", "json")}};
  }
};

/// All trials with all that is known of them, every number in full.
int export_trials(const ExportOptions& options);

}  // namespace trireme::tune
