#pragma once
#include "tune/bayes/acquisition.h"

namespace trireme::tune {

/// `kappa` standard deviations below the mean, negated: what a point may be worth at best, in transformed values.
/// Trials that are running count as observed where the process expects them, so that the mean stays and the doubt about
/// them is gone.
///
/// Sources: Srinivas et al. 2010, "Gaussian process optimization in the bandit setting", arXiv:0912.3995; Desautels et
/// al. 2014, "Parallelizing exploration-exploitation tradeoffs in Gaussian process bandit optimization" (what is
/// running).
class UpperConfidenceBound final : public Acquisition {
 public:
  UpperConfidenceBound(const Surrogate& surrogate, const KernelInputs& pending, double kappa);
  Eigen::VectorXd values(const KernelInputs& points) const override;
  double value(const KernelInputs& point, Eigen::VectorXd& slope) const override;

 private:
  GaussianProcess process_;
  double kappa_;
};

/// How many deviations a search should allow for: they grow with the trials, so that in the end nothing stays unseen.
/// Source: Kandasamy et al. 2015, "High dimensional Bayesian optimisation and bandits via additive models",
/// arXiv:1503.01673, section 5.
double usual_kappa(Eigen::Index dimensions, Eigen::Index observations);

}  // namespace trireme::tune
