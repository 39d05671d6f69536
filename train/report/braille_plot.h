#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "train/report/decimate.h"

namespace trireme::train {

/// A curve of a plot made of characters: dots of Braille, of which a cell holds 2 x 4.
struct PlotCurve {
  Curve curve;
  const char* colour;  ///< what selects it on a terminal: "\x1b[36m"
  bool joined = true;  ///< by lines; else a point each
};

/// @param columns, rows  in cells, with labels left of the curves and below them; at least 20 x 4
/// @param colour         false: no control characters at all
/// @returns              `rows` lines; later curves lie above earlier ones
std::vector<std::string> braille_plot(const std::vector<PlotCurve>& curves, std::size_t columns, std::size_t rows,
                                      bool colour);

}  // namespace trireme::train
