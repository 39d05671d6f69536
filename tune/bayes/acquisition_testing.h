#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "tune/bayes/acquisition.h"
#include "tune/bayes/kernel_testing.h"

/// What tests of acquisitions share.
namespace trireme::tune::testing {

/// A surrogate of a bowl with branches, fitted to values with so much noise.
struct Fitted {
  explicit Fitted(double noise = 0, std::uint64_t seed = 1, std::size_t count = 20)
      : space(branches()), kernel(space), points(random_points(space, count, seed)) {
    std::vector<float> draws(count);
    RandomStream(seed, "noise").fill_normal(draws.data(), 0, count, 1);
    Eigen::VectorXd values(static_cast<Eigen::Index>(count));
    for (std::size_t i = 0; i < count; ++i) {
      double sum = noise * draws[i];
      for (const double x : points[i]) sum += std::isnan(x) ? 0.1 : std::pow(x - 0.4, 2);
      values[static_cast<Eigen::Index>(i)] = sum;
    }
    surrogate.emplace(fit_surrogate(kernel, kernel.inputs(points), values, {.delta = kOnlyStandardised}));
  }
  KernelInputs none() const { return kernel.inputs(std::vector<Point>{}); }

  Space space;
  Kernel kernel;
  std::vector<Point> points;
  std::optional<Surrogate> surrogate;
};

/// Slopes are those of finite differences, and both ways to ask agree.
inline void expect_slopes(const Fitted& fitted, const Acquisition& acquisition) {
  KernelInputs point = fitted.kernel.inputs(fitted.space.snap({0.31, 0.5, kInactive, 0.4, 0.77}));
  Eigen::VectorXd slope;
  EXPECT_NEAR(acquisition.value(point, slope), acquisition.values(point)[0], 1e-9);
  for (const Eigen::Index c : {0, 4}) {
    const auto value = [&] { return acquisition.values(point)[0]; };
    EXPECT_NEAR(slope[c], central_difference(point.x(0, c), value, 1e-6), 1e-4 * (1 + std::abs(slope[c]))) << c;
  }
}

}  // namespace trireme::tune::testing
