#pragma once
#include <vector>

#include "tune/bayes/acquisition.h"

namespace trireme::tune {

/// Logarithm of the expected hypervolume improvement: by how much a trial is expected to push out the front of several
/// objectives, in units of the surrogates, mean over scenarios. Exact for any number of objectives: what the front
/// leaves undominated is cut into boxes, and over a box the expectation is a product of differences of expected
/// improvements.
///
/// The reference point, up to which volume counts, lies a tenth of the values' range beyond the worst value seen of
/// each objective. One just beyond the front would be tighter, and keeps a search from ever finding the ends of a front
/// whose middle it found first.
///
/// Sources: Yang et al. 2019, "Efficient computation of expected hypervolume improvement using box decomposition
/// algorithms", J. Glob. Optim. 75; Ament et al. 2023, arXiv:2310.20708, for why its logarithm.
class LogHypervolumeImprovement final : public Acquisition {
 public:
  /// @param surrogates  one an objective, all of the same points
  LogHypervolumeImprovement(const std::vector<Surrogate>& surrogates, const KernelInputs& pending, std::uint64_t seed);
  Eigen::VectorXd values(const KernelInputs& points) const override;
  double value(const KernelInputs& point, Eigen::VectorXd& slope) const override;

  /// An objective each, in units of its surrogate.
  const std::vector<double>& reference() const { return reference_; }

 private:
  // The undominated boxes of one scenario. A bound is a place among the levels of its objective, or -1: no bound.
  struct Cells {
    std::vector<std::vector<double>> levels;  // an objective each, ascending
    Eigen::ArrayXXi lower, upper;             // [cells, objectives]
  };
  // Log of the expectation for independent normal objectives, and its derivatives by means and deviations.
  struct Expectation {
    double value;
    Eigen::VectorXd by_mean, by_deviation;
  };
  Cells cells_of(const std::vector<std::vector<double>>& values) const;
  static Expectation expectation(const Cells& cells, const Eigen::VectorXd& means, const Eigen::VectorXd& deviations,
                                 bool with_slopes);
  Eigen::Index answer_of(std::size_t objective, std::size_t scenario) const {
    return static_cast<Eigen::Index>(scenario) % objectives_[objective].count();
  }

  std::vector<Scenarios> objectives_;
  std::vector<double> reference_;
  std::vector<Cells> cells_;  // a scenario each
};

}  // namespace trireme::tune
