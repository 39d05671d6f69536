#pragma once
#include <Eigen/Core>
#include <functional>

#include "tune/search/trial_random.h"

namespace trireme::tune {

/// A state of a Markov chain and its log likelihood.
struct SliceState {
  Eigen::VectorXd x;
  double log_likelihood;
};

/// One step of elliptical slice sampling: leaves the posterior of independent normal priors and a likelihood invariant,
/// has no step size to choose, and takes some five evaluations. Where the likelihood is 0 the logarithm is minus
/// infinity; where a deviation is 0 the coordinate stays.
///
/// Source: Murray, Adams and MacKay 2010, "Elliptical slice sampling", AISTATS, figure 2.
SliceState elliptical_slice(const std::function<double(const Eigen::VectorXd&)>& log_likelihood,
                            const Eigen::VectorXd& prior_mean, const Eigen::VectorXd& prior_deviation,
                            const SliceState& from, TrialRandom& random);

}  // namespace trireme::tune
