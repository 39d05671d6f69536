#pragma once
#include <Eigen/Core>
#include <functional>

namespace trireme::tune {

/// What minimize() is to do.
struct MinimizeOptions {
  int most_iterations = 50;
  double gradient_tolerance = 1e-5;  ///< of the largest component that is not held by a bound
  double value_tolerance = 1e-9;     ///< relative decrease of an iteration that counts as none
  int memory = 8;                    ///< pairs of steps and gradient changes that are kept
  double first_step = 0.1;           ///< length of the first step, before anything is known of the curvature
};

struct Minimum {
  Eigen::VectorXd x;
  double value;
};

/// A local minimum of a smooth function between bounds: L-BFGS on the variables that no bound holds, with a
/// backtracking search along the projected step. Values that are not finite are taken for a step too far.
///
/// Source: Nocedal and Wright 2006, "Numerical Optimization", algorithm 7.4; Bertsekas 1982, "Projected Newton methods
/// for optimization problems with simple constraints", SIAM J. Control Optim. 20, for the variables at their bounds.
/// @param function  value at x; fills the gradient, which has x's size
Minimum minimize(const std::function<double(const Eigen::VectorXd& x, Eigen::VectorXd& gradient)>& function,
                 Eigen::VectorXd start, const Eigen::VectorXd& lower, const Eigen::VectorXd& upper,
                 const MinimizeOptions& options = {});

}  // namespace trireme::tune
