#pragma once
#include <string>
#include <vector>

#include "train/report/run_log.h"

namespace trireme::train {

/// One page of HTML that shows a run, or several beside each other: curves, figures, samples of text, events, config.
/// It holds all that it needs and asks for nothing: no network, no library. Curves of more than some 1,500 records keep
/// the mean, lowest and highest of neighbours, so a page stays below a megabyte or two a run however long the log is.
/// @param now  seconds since 1970
std::string report_page(const std::vector<const RunLog*>& logs, double now);

}  // namespace trireme::train
