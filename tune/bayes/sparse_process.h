#pragma once
#include <vector>

#include "tune/bayes/gaussian_process.h"

namespace trireme::tune {

/// Which of many observations are to stand for all: those with the lowest targets for half of them, but for what is all
/// but the same point again; then, one after the other, whatever is least like all that are chosen (the greedy k-center
/// choice of Gonzalez 1985, by the kernel). O(n most) kernel values.
/// @returns indices in the order of their choice, at least one
std::vector<Eigen::Index> inducing_points(const Kernel& kernel, const KernelInputs& inputs,
                                          const Eigen::VectorXd& targets, const KernelParameters& parameters,
                                          Eigen::Index most);

/// A Gaussian process that all n observations inform and that costs no more than one of m: the fully independent
/// training conditional approximation. What inducing points do not explain of an observation counts as noise of its
/// own, so nothing is believed more firmly than was observed. The result is an exact process of m observations at the
/// inducing points, whose noise has the covariance that makes it say the same. O(n m^2).
///
/// Sources: Snelson and Ghahramani 2006, "Sparse Gaussian processes using pseudo-inputs"; Quinonero-Candela and
/// Rasmussen 2005, "A unifying view of sparse approximate Gaussian process regression", section 6.
/// @param inducing  indices of observations
GaussianProcess sparse_process(const Kernel& kernel, const KernelInputs& inputs, const Eigen::VectorXd& targets,
                               const GaussianProcessParameters& parameters, const std::vector<Eigen::Index>& inducing);

}  // namespace trireme::tune
