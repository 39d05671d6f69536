#pragma once
#include <Eigen/Core>

#include "tune/bayes/kernel.h"

namespace trireme::tune {

/// All that a Gaussian process is set to.
struct GaussianProcessParameters {
  KernelParameters kernel;
  double signal = 1;  ///< variance of the function
  double noise = 0;   ///< variance of what is added to each observation
  double mean = 0;
};

/// Exact Gaussian process regression with a constant mean.
///
/// Source: Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", algorithm 2.1 and equation 5.9.
class GaussianProcess {
 public:
  /// @param inputs  not warped
  /// The covariance matrix is made positive definite, where rounding made it not, by more noise: as little as does.
  GaussianProcess(const Kernel& kernel, KernelInputs inputs, Eigen::VectorXd targets,
                  GaussianProcessParameters parameters);
  /// The same with noise of any covariance, [observations, observations], in place of the parameters' own;
  /// gradient() is not for it.
  GaussianProcess(const Kernel& kernel, KernelInputs inputs, Eigen::VectorXd targets,
                  GaussianProcessParameters parameters, const Eigen::MatrixXd& noise);

  const GaussianProcessParameters& parameters() const { return parameters_; }
  const Kernel& kernel() const { return *kernel_; }
  const KernelInputs& inputs() const { return inputs_; }
  const Eigen::VectorXd& targets() const { return targets_; }
  Eigen::Index size() const { return targets_.size(); }

  double log_marginal_likelihood() const;
  /// Its derivatives: by the kernel's parameters, log signal, log noise and mean.
  struct Gradient {
    KernelParameters kernel;
    double log_signal, log_noise, mean;
  };
  Gradient gradient() const;

  /// Of the function without noise, at points that are not warped.
  struct Prediction {
    Eigen::VectorXd mean, variance;
  };
  Prediction predict(const KernelInputs& points) const;
  /// The covariance matrix of the function at these points, given the observations.
  Eigen::MatrixXd covariance(const KernelInputs& points) const;

  /// What the process knows of points whatever the targets are: covariances with the observations, [observations,
  /// points], and variances. A mean is `covariance^T weights + mean`, for the weights of any targets.
  struct Cross {
    Eigen::MatrixXd covariance;
    Eigen::VectorXd variance;
  };
  Cross cross(const KernelInputs& points) const;
  /// The same for one point, with derivatives by its position in each of the kernel's dimensions: [observations,
  /// dimensions] and [dimensions].
  struct CrossSlopes {
    Eigen::VectorXd covariance;
    double variance;
    Eigen::MatrixXd covariance_slope;
    Eigen::VectorXd variance_slope;
  };
  CrossSlopes cross_slopes(const KernelInputs& point) const;

  /// (K + noise)^-1 (y - mean): of its own targets, and of any others, a column each.
  const Eigen::VectorXd& weights() const { return weights_; }
  Eigen::MatrixXd weights_of(const Eigen::MatrixXd& targets) const;

  /// All variances times `factor`, and another mean: O(n^2), where factorising anew is O(n^3).
  void rescale(double factor, double mean);

  /// One more observation, by a row of the Cholesky factor: O(n^2) where factorising anew is O(n^3).
  void append(const KernelInputs& point, double target);

 private:
  Eigen::MatrixXd own_covariance() const;  // of the function at the observations, before any is known

  const Kernel* kernel_;
  KernelInputs inputs_, warped_;
  Eigen::VectorXd targets_;
  GaussianProcessParameters parameters_;
  Eigen::VectorXd weights_;
  Eigen::MatrixXd factor_;  // lower triangle: L L^T = signal k + noise, the covariance of the observations
};

/// The lower factor of a covariance matrix plus `noise` on its diagonal. Where rounding made it not positive definite,
/// `noise` grows until it is. @param scale  a typical element of the diagonal
/// @throws Error kBug: not even by as much as `scale` (an element that is not finite)
Eigen::MatrixXd cholesky_factor(const Eigen::MatrixXd& covariance, double scale, double& noise);

}  // namespace trireme::tune
