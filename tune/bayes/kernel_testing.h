#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "tune/bayes/kernel.h"
#include "tune/search/search_testing.h"

/// What tests of kernels and what stands on them share.
namespace trireme::tune::testing {

/// n real dimensions.
inline Space cube(std::size_t n) {
  std::vector<Dimension> dimensions;
  for (std::size_t i = 0; i < n; ++i) dimensions.push_back(real("x" + std::to_string(i)));
  return Space(dimensions);
}

/// Two that are always there, of one a choice, and a branch of two and of one.
inline Space branches() {
  return Space({real("shared"), choice("model", {"linear", "tree", "net"}), when(real("penalty"), "model", {"linear"}),
                when(integer("depth", 1, 9), "model", {"tree"}), when(real("rate"), "model", {"tree"})});
}

inline std::vector<Point> random_points(const Space& space, std::size_t count, std::uint64_t seed) {
  const RandomStream random(seed, "test/points");
  std::vector<Point> points;
  for (std::size_t i = 0; i < count; ++i)
    points.push_back(space.draw_feasible(
        [&](std::uint64_t attempt, std::size_t dimension) { return random.uniform(i, attempt * 1000 + dimension); }));
  return points;
}

/// Parameters that are nothing special.
inline KernelParameters some_parameters(const Kernel& kernel, std::uint64_t seed, bool warped = true) {
  const RandomStream random(seed, "test/parameters");
  std::uint64_t drawn = 0;
  const auto fill = [&](Eigen::Index size, double low, double high) {
    Eigen::VectorXd values(size);
    for (double& value : values) value = low + (high - low) * random.uniform(drawn++);
    return values;
  };
  KernelParameters parameters{fill(kernel.dimensions(), -0.5, 1.5), fill(kernel.dimensions(), -0.6, 0.6),
                              fill(kernel.dimensions(), -0.6, 0.6), fill(kernel.groups(), -1, 1), 0.3};
  if (!warped) parameters.log_a.setZero(), parameters.log_b.setZero();
  return parameters;
}

/// All numbers of the parameters in turn, for finite differences.
inline void for_each_number(KernelParameters& parameters,
                            const std::function<void(double&, const std::string&)>& visit) {
  const auto each = [&](Eigen::VectorXd& values, const std::string& name) {
    for (Eigen::Index i = 0; i < values.size(); ++i) visit(values[i], name + std::to_string(i));
  };
  each(parameters.log_inverse_length, "log inverse length ");
  each(parameters.log_a, "log a ");
  each(parameters.log_b, "log b ");
  each(parameters.share_logit, "share ");
  visit(parameters.additive_logit, "additive");
}

/// The derivative of `value` by x, from both sides.
inline double central_difference(double& x, const std::function<double()>& value, double step = 1e-5) {
  const double before = x;
  x = before + step;
  const double above = value();
  x = before - step;
  const double below = value();
  x = before;
  return (above - below) / (2 * step);
}

}  // namespace trireme::tune::testing
