#pragma once
#include <Eigen/Core>

namespace trireme::tune {

/// Matern's function with nu = 5/2, (1 + r + r^2 / 3) exp(-r) with r^2 = 5 times the squared distance; and its
/// derivative by the squared distance.
void matern(const Eigen::ArrayXd& squared, Eigen::ArrayXd& value);
void matern(const Eigen::ArrayXd& squared, Eigen::ArrayXd& value, Eigen::ArrayXd& slope);

}  // namespace trireme::tune
