#pragma once
#include <optional>
#include <vector>

#include "tune/bayes/gaussian_process.h"
#include "tune/bayes/output_transform.h"
#include "tune/search/trial_random.h"

namespace trireme::tune {

/// A delta beyond all values, with which they are only standardised.
constexpr double kOnlyStandardised = 1e6;

/// How a surrogate is fitted.
struct SurrogateOptions {
  /// How soon large values count by their logarithm, as OutputTransform's delta; learnt where it is not given.
  std::optional<double> delta;
  bool warp = false;                 ///< learn input warps as well, and keep them where they explain clearly more
  double shortest_length = 0.01;     ///< bound of the length scales, as a share of a dimension's range
  int most_iterations = 40;          ///< of each search for hyperparameters
  Eigen::Index most_searched = 200;  ///< points of all heights that hyperparameters are searched on
  Eigen::Index most_exact = 1000;    ///< points of an exact process; of more, sparse_process has all
  Eigen::Index most_inducing = 500;  ///< of a sparse process
};

/// A Gaussian process with its transform of values: what a search believes of a function.
struct Surrogate {
  OutputTransform transform;
  GaussianProcess process;  ///< of transformed values
  /// Whether values have so little noise that they count as the function's own.
  bool is_exact() const;
};

/// The likeliest hyperparameters for these observations, given priors: length scales, noise, shares, warps, the
/// transform's delta. The mean is solved for, and the signal's variance integrated out under an inverse gamma prior, so
/// neither has to be searched.
///
/// Sources: Rasmussen and Williams 2006, section 5.4.1 and equation 5.9 (the gradient); Hvarfner et al. 2024, "Vanilla
/// Bayesian optimization performs great in high dimensions", arXiv:2402.02229, for length scales that grow with the
/// root of the number of dimensions.
/// @param values  finite, at least one
Surrogate fit_surrogate(const Kernel& kernel, const KernelInputs& inputs, const Eigen::VectorXd& values,
                        const SurrogateOptions& options);

/// The same, and where its values are not exact `draws` more, from the posterior distribution of the hyperparameters:
/// few noisy values are explained by a rough function with little noise and by a smooth one with more, and a search
/// that believes one of them polishes what is chance or overlooks what is not. Exact values leave less doubt than the
/// draws cost.
std::vector<Surrogate> fit_surrogates(const Kernel& kernel, const KernelInputs& inputs, const Eigen::VectorXd& values,
                                      const SurrogateOptions& options, int draws, TrialRandom& random);

}  // namespace trireme::tune
