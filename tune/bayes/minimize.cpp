#include "tune/bayes/minimize.h"

#include <cmath>
#include <deque>
#include <vector>

namespace trireme::tune {
namespace {

struct Pair {
  Eigen::VectorXd step, change;
};

// The two-loop recursion: -H * gradient for the pairs' approximation H of the inverse Hessian, among the free variables
// alone: those that bounds hold have gradients that change with others' steps, which says nothing of the free ones.
// @param free  1 or 0 a variable
Eigen::VectorXd direction_of(const Eigen::VectorXd& gradient, const std::deque<Pair>& pairs,
                             const Eigen::VectorXd& free) {
  struct Projected {
    Eigen::VectorXd step, change;
    double curvature, weight;
  };
  std::vector<Projected> used;
  for (const Pair& pair : pairs) {
    Projected projected{pair.step.cwiseProduct(free), pair.change.cwiseProduct(free), 0, 0};
    projected.curvature = projected.step.dot(projected.change);
    if (projected.curvature > 1e-10 * projected.change.squaredNorm()) used.push_back(std::move(projected));
  }
  Eigen::VectorXd q = -gradient;
  for (std::size_t i = used.size(); i-- > 0;) {
    used[i].weight = used[i].step.dot(q) / used[i].curvature;
    q -= used[i].weight * used[i].change;
  }
  if (!used.empty()) q *= used.back().curvature / used.back().change.squaredNorm();
  for (const Projected& pair : used) q += (pair.weight - pair.change.dot(q) / pair.curvature) * pair.step;
  return q;
}

}  // namespace

Minimum minimize(const std::function<double(const Eigen::VectorXd&, Eigen::VectorXd&)>& function, Eigen::VectorXd start,
                 const Eigen::VectorXd& lower, const Eigen::VectorXd& upper, const MinimizeOptions& options) {
  Eigen::VectorXd x = start.cwiseMax(lower).cwiseMin(upper), gradient(x.size()), next(x.size()),
                  next_gradient(x.size());
  double value = function(x, gradient);
  if (!std::isfinite(value)) return {x, value};
  std::deque<Pair> pairs;

  for (int iteration = 0; iteration < options.most_iterations; ++iteration) {
    // A variable at a bound that the gradient pushes it against is not free.
    const Eigen::VectorXd free = 1 - ((x.array() <= lower.array() && gradient.array() > 0) ||
                                      (x.array() >= upper.array() && gradient.array() < 0))
                                         .cast<double>();
    const Eigen::VectorXd free_gradient = gradient.cwiseProduct(free);
    if (free_gradient.lpNorm<Eigen::Infinity>() < options.gradient_tolerance) break;
    Eigen::VectorXd direction = direction_of(free_gradient, pairs, free);
    if (!(direction.dot(free_gradient) < 0)) {
      direction = -free_gradient;
      pairs.clear();
    }
    double length = pairs.empty() ? options.first_step / std::max(direction.norm(), 1e-300) : 1.0;
    double next_value = value;
    bool found = false;
    for (int halving = 0; halving < 20 && !found; ++halving, length *= 0.4) {
      next = (x + length * direction).cwiseMax(lower).cwiseMin(upper);
      const double slope = gradient.dot(next - x);
      if (!(slope < 0)) break;
      next_value = function(next, next_gradient);
      found = std::isfinite(next_value) && next_value <= value + 1e-4 * slope;
    }
    if (!found) {
      if (pairs.empty()) break;
      pairs.clear();  // once more along the gradient
      continue;
    }
    pairs.push_back({next - x, next_gradient - gradient});
    if (pairs.size() > static_cast<std::size_t>(options.memory)) pairs.pop_front();
    const double decrease = value - next_value;
    x.swap(next);
    gradient.swap(next_gradient);
    value = next_value;
    if (decrease <= options.value_tolerance * (std::abs(value) + 1e-12)) break;
  }
  return {x, value};
}

}  // namespace trireme::tune
