#include "train/report/braille_plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "core/base/text.h"

namespace trireme::train {
namespace {

constexpr std::size_t kLabel = 9;  // cells of a number and the axis behind it

// Unicode 15, chapter 21.1: dots 1 to 8 are the bits of U+2800 + n.
constexpr std::array<std::array<unsigned, 2>, 4> kDots = {{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}};

class Canvas {
 public:
  Canvas(std::size_t columns, std::size_t rows)
      : columns_(columns), rows_(rows), dots_(columns * rows, 0), colours_(columns * rows, nullptr) {}

  double width() const { return static_cast<double>(2 * columns_ - 1); }
  double height() const { return static_cast<double>(4 * rows_ - 1); }

  void dot(double x, double y, const char* colour) {
    const long px = std::lround(x), py = std::lround(y);
    if (px < 0 || py < 0 || px >= static_cast<long>(2 * columns_) || py >= static_cast<long>(4 * rows_)) return;
    const auto column = static_cast<std::size_t>(px) / 2, row = static_cast<std::size_t>(py) / 4;
    dots_[row * columns_ + column] |= kDots[static_cast<std::size_t>(py) % 4][static_cast<std::size_t>(px) % 2];
    colours_[row * columns_ + column] = colour;
  }

  void line(double x0, double y0, double x1, double y1, const char* colour) {
    const double pieces = std::max(1.0, std::ceil(std::max(std::abs(x1 - x0), std::abs(y1 - y0))));
    for (double i = 0; i <= pieces; ++i) dot(x0 + (x1 - x0) * i / pieces, y0 + (y1 - y0) * i / pieces, colour);
  }

  std::string row(std::size_t row, bool colour) const {
    std::string text;
    const char* now = nullptr;
    for (std::size_t column = 0; column < columns_; ++column) {
      const unsigned dots = dots_[row * columns_ + column];
      const char* wanted = dots ? colours_[row * columns_ + column] : now;
      if (colour && wanted != now) text += now = wanted;
      text += {static_cast<char>(0xE2), static_cast<char>(0xA0 | dots >> 6), static_cast<char>(0x80 | (dots & 0x3F))};
    }
    return now ? text + "\x1b[0m" : text;
  }

 private:
  std::size_t columns_, rows_;
  std::vector<unsigned> dots_;
  std::vector<const char*> colours_;
};

// As many digits as there is room for.
std::string label(double value) {
  char text[32];
  for (int digits = 4; digits > 0; --digits)
    if (std::snprintf(text, sizeof text, "%*.*g", static_cast<int>(kLabel) - 2, digits, value) <=
        static_cast<int>(kLabel) - 2)
      break;
  return text;
}

}  // namespace

std::vector<std::string> braille_plot(const std::vector<PlotCurve>& curves, std::size_t columns, std::size_t rows,
                                      bool colour) {
  double left = INFINITY, right = -INFINITY;
  std::vector<double> values;
  for (const PlotCurve& each : curves) {
    if (each.curve.empty()) continue;
    left = std::min(left, each.curve.x.front());
    right = std::max(right, each.curve.x.back());
    values.insert(values.end(), each.curve.mean.begin(), each.curve.mean.end());
  }
  Canvas canvas(columns - kLabel, rows - 1);
  double low = 0, high = 1;
  if (!values.empty()) {
    // The first steps are far above all that follows and would press it flat: the highest 2 % may leave the plot.
    std::sort(values.begin(), values.end());
    low = values.front();
    high = values[(values.size() - 1) - values.size() / 50];
    if (!(high > low)) high = low + std::max(1e-9, std::abs(low) * 0.01);
  }
  const auto x_of = [&](double x) { return right > left ? (x - left) / (right - left) * canvas.width() : 0; };
  const auto y_of = [&](double y) { return (high - y) / (high - low) * canvas.height(); };
  for (const PlotCurve& each : curves)
    for (std::size_t i = 0; i < each.curve.x.size(); ++i) {
      const double x = x_of(each.curve.x[i]), y = y_of(each.curve.mean[i]);
      if (each.joined && i > 0)
        canvas.line(x_of(each.curve.x[i - 1]), y_of(each.curve.mean[i - 1]), x, y, each.colour);
      else
        canvas.dot(x, y, each.colour);
    }

  std::vector<std::string> lines;
  for (std::size_t row = 0; row + 1 < rows; ++row) {
    const bool labelled = !values.empty() && (row == 0 || row + 2 == rows || (rows > 6 && row == (rows - 1) / 2));
    // The value in the middle of the row.
    const double value = high - (static_cast<double>(4 * row) + 1.5) / canvas.height() * (high - low);
    lines.push_back((labelled ? label(value) : std::string(kLabel - 2, ' ')) + " │" + canvas.row(row, colour));
  }
  std::string axis(kLabel - 1, ' ');
  axis += "└";
  const std::string first = values.empty() ? "" : count_text(left),
                    last = values.empty() ? "" : "step " + count_text(right);
  const std::size_t room = columns - kLabel;
  axis += first;
  for (std::size_t i = first.size() + last.size(); i < room; ++i) axis += "─";
  lines.push_back(axis + last);
  return lines;
}

}  // namespace trireme::train
