#pragma once
#include "tune/bayes/acquisition.h"

namespace trireme::tune {

/// One function drawn from a surrogate, negated, in transformed values: its lowest point is one that the best point may
/// be, as likely as it is to be that. Trials at a time differ since each has its own draw.
///
/// It is drawn at what was observed and at `support`; elsewhere it is what the process expects given those, so it has
/// slopes.
///
/// Sources: Thompson 1933, "On the likelihood that one unknown probability exceeds another in view of the evidence of
/// two samples"; Kandasamy et al. 2018, "Parallelised Bayesian optimisation via Thompson sampling", arXiv:1705.09236.
class ThompsonSample final : public Acquisition {
 public:
  /// @param support  points of which the best is to be found, hundreds; at least one
  ThompsonSample(const Surrogate& surrogate, const KernelInputs& support, std::uint64_t seed);
  Eigen::VectorXd values(const KernelInputs& points) const override;
  double value(const KernelInputs& point, Eigen::VectorXd& slope) const override;

 private:
  Scenarios scenarios_;
};

}  // namespace trireme::tune
