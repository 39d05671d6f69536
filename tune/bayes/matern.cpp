#include "tune/bayes/matern.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "core/base/clones.h"

namespace trireme::tune {
namespace {

// 1 / 13!, 1 / 12!, ..., 1 / 0!
constexpr std::array<double, 14> kSeries = [] {
  std::array<double, 14> series{};
  double factorial = 1;
  for (std::size_t k = 0; k < series.size(); factorial *= static_cast<double>(++k))
    series[series.size() - 1 - k] = 1 / factorial;
  return series;
}();

// exp(-x) for x >= 0, to some units in the last place; beyond 708, where it is 3e-308, no less. Without branches and
// calls, so that loops become vector code as wide as the machine has it: as calls of exp, this was a third of a
// suggestion's time. -x = n ln 2 + f with |f| <= ln 2 / 2; then the power series of exp(f), 14 terms, and n for an
// exponent.
[[gnu::always_inline]] inline double exp_minus(double x) {
  constexpr double kMost = 708, kPerLog2 = 1.4426950408889634, kLog2High = 0x1.62e42fefap-1,
                   kLog2Low = 0x1.cf79abc9e3b3ap-40;
  constexpr double kWhole = 0x1.8p52;  // added to a number, it leaves it rounded, in the lowest bits
  const double y = x < kMost ? -x : -kMost;
  const double shifted = kWhole + y * kPerLog2;
  const double n = shifted - kWhole;
  const double f = (y - n * kLog2High) - n * kLog2Low;
  double series = 0;
#pragma GCC unroll 16
  for (const double coefficient : kSeries) series = series * f + coefficient;
  const auto exponent = (std::bit_cast<std::uint64_t>(shifted) + 1023) << 52;
  return series * std::bit_cast<double>(exponent);
}

TRIREME_CLONES void matern_values(const double* squared, std::ptrdiff_t n, double* value) {
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    const double r = std::sqrt(5.0 * squared[i]);
    value[i] = (1.0 + r + r * r / 3.0) * exp_minus(r);
  }
}

TRIREME_CLONES void matern_slopes(const double* squared, std::ptrdiff_t n, double* value, double* slope) {
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    const double r = std::sqrt(5.0 * squared[i]), e = exp_minus(r);
    value[i] = (1.0 + r + r * r / 3.0) * e;
    slope[i] = (-5.0 / 6.0) * (1.0 + r) * e;
  }
}

}  // namespace

void matern(const Eigen::ArrayXd& squared, Eigen::ArrayXd& value) {
  value.resize(squared.size());
  matern_values(squared.data(), squared.size(), value.data());
}

void matern(const Eigen::ArrayXd& squared, Eigen::ArrayXd& value, Eigen::ArrayXd& slope) {
  value.resize(squared.size());
  slope.resize(squared.size());
  matern_slopes(squared.data(), squared.size(), value.data(), slope.data());
}

}  // namespace trireme::tune
