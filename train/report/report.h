#pragma once
#include <string>
#include <vector>

#include "core/config/field.h"

namespace trireme::train {

/// What `trireme-train report` is told.
struct ReportOptions {
  std::vector<std::string> run;
  std::string out = "report.html";
  bool watch = false;

  static constexpr auto fields() {
    using C = ReportOptions;
    return std::tuple{Field{"run", &C::run, "run directory; several are shown beside each other", kRequired},
                      Field{"out", &C::out, "file that the page is written to", kRequired},
                      Field{"watch", &C::watch, "show the run on the terminal while it goes on, and write no page"}};
  }
};

/// Writes the page, or watches. @returns the exit status  @throws Error kUsage, kNotFound, kIo
int report(const ReportOptions& options);

}  // namespace trireme::train
