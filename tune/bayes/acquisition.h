#pragma once
#include <Eigen/Core>
#include <cstdint>
#include <memory>
#include <vector>

#include "tune/bayes/surrogate.h"

namespace trireme::tune {

/// Variances are at least this: a deviation of 0 has no slope.
constexpr double kLeastVariance = 1e-18;

/// What a point promises: the next trial is where this is highest.
class Acquisition {
 public:
  virtual ~Acquisition() = default;
  /// One a point.
  virtual Eigen::VectorXd values(const KernelInputs& points) const = 0;
  /// At one point, with the derivative by its position in each of the kernel's dimensions.
  virtual double value(const KernelInputs& point, Eigen::VectorXd& slope) const = 0;
};

/// What a surrogate leaves open, as some answers to it that are equally likely: values of trials that are still running
/// (fantasies), and what the function is without noise at those that are done. Each answer has its own mean function;
/// the variance elsewhere is the same for all.
///
/// Sources: Snoek et al. 2012, "Practical Bayesian optimization of machine learning algorithms", arXiv:1206.2944,
/// section 3.2 (fantasies); Letham et al. 2019, "Constrained Bayesian optimization with noisy experiments",
/// arXiv:1706.07094 (integrating over the values behind the noise).
class Scenarios {
 public:
  /// @param pending  points whose trials are running; may be none
  /// @param seed  of the draws
  /// @param count  how many; one where nothing is left open
  Scenarios(const Surrogate& surrogate, const KernelInputs& pending, std::uint64_t seed, Eigen::Index count = 16);

  const GaussianProcess& process() const { return process_; }
  const Eigen::MatrixXd& weights() const { return weights_; }  ///< [observations and pending, answers]
  const Eigen::MatrixXd& answers() const { return answers_; }  ///< [observations and pending, answers]: the function
  Eigen::Index count() const { return weights_.cols(); }

  /// Of each answer at points, [answers, points], and standard deviations.
  struct Prediction {
    Eigen::MatrixXd means;
    Eigen::VectorXd deviations;
  };
  Prediction predict(const KernelInputs& points) const;
  /// The same at one point, [answers], with derivatives by its position: [dimensions, answers] and [dimensions].
  struct Slopes {
    Eigen::VectorXd means;
    double deviation;
    Eigen::MatrixXd mean_slopes;
    Eigen::VectorXd deviation_slope;
  };
  Slopes slopes(const KernelInputs& point) const;

 private:
  GaussianProcess process_;
  Eigen::MatrixXd weights_, answers_;
};

/// Logarithm of the expected improvement on the best value so far by at least `margin`, in units of the values, mean
/// over scenarios: log-EI where values are exact and nothing is pending, noisy log-EI else.
///
/// The margin keeps a search from polishing: once a valley is known so well that it can hold no more than that, what is
/// unknown elsewhere is worth more.
class LogImprovement final : public Acquisition {
 public:
  /// @param margin  in units of the values
  LogImprovement(const Surrogate& surrogate, const KernelInputs& pending, double margin, std::uint64_t seed);
  Eigen::VectorXd values(const KernelInputs& points) const override;
  double value(const KernelInputs& point, Eigen::VectorXd& slope) const override;

 private:
  Scenarios scenarios_;
  Eigen::VectorXd goals_;  // an answer: below it begins what counts
  double log_unit_;        // of the surrogate, in units of the values
};

/// Logarithm of the mean of what others are the logarithms of: what surrogates with several hyperparameters believe
/// together.
class LogMeanAcquisition final : public Acquisition {
 public:
  explicit LogMeanAcquisition(std::vector<std::unique_ptr<Acquisition>> parts) : parts_(std::move(parts)) {}
  Eigen::VectorXd values(const KernelInputs& points) const override;
  double value(const KernelInputs& point, Eigen::VectorXd& slope) const override;

 private:
  std::vector<std::unique_ptr<Acquisition>> parts_;
};

/// Logarithm of the probability that a trial does not fail, from trials that did and did not: a Gaussian process of
/// labels 1 and -1, through the normal distribution's function. Failed trials say where not to look; they are no
/// values.
///
/// Source: Rasmussen and Williams 2006, section 6.5 (least-squares classification).
class LogFeasibility final : public Acquisition {
 public:
  /// @param feasible  one a point: 1 or -1; both must be there
  LogFeasibility(const Kernel& kernel, const KernelInputs& points, const Eigen::VectorXd& feasible);
  Eigen::VectorXd values(const KernelInputs& points) const override;
  double value(const KernelInputs& point, Eigen::VectorXd& slope) const override;

 private:
  Surrogate surrogate_;
};

/// log of the mean of exp, which neither overflows nor vanishes, and the share that each has in the sum.
double log_mean_exp(const Eigen::VectorXd& logs, Eigen::VectorXd& shares);

/// The sum of others: a product of expectations and probabilities. To a score in deviations (an upper confidence bound,
/// a Thompson sample) the logarithm of a probability is a penalty: a deviation where it is e times less likely.
class SumAcquisition final : public Acquisition {
 public:
  explicit SumAcquisition(std::vector<std::unique_ptr<Acquisition>> parts) : parts_(std::move(parts)) {}
  Eigen::VectorXd values(const KernelInputs& points) const override;
  double value(const KernelInputs& point, Eigen::VectorXd& slope) const override;

 private:
  std::vector<std::unique_ptr<Acquisition>> parts_;
};

}  // namespace trireme::tune
