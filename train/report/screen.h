#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "train/report/run_log.h"

namespace trireme::train {

/// A run on a terminal: how far it is, its figures, the loss, what happened last, what it wrote last.
/// @param columns, rows  of the terminal, in cells; what does not fit is left out, the least important first
/// @param colour         false: no control characters at all
/// @param now            seconds since 1970
/// @returns              at most `rows` lines of at most `columns` characters
std::vector<std::string> screen_of(const RunLog& log, std::size_t columns, std::size_t rows, bool colour, double now);

}  // namespace trireme::train
