#include "tune/bayes/gaussian_process.h"

#include <Eigen/Cholesky>
#include <cmath>
#include <numbers>

#include "core/base/error.h"

namespace trireme::tune {

Eigen::MatrixXd cholesky_factor(const Eigen::MatrixXd& covariance, double scale, double& noise) {
  for (double more = 0; more <= scale; more = more == 0 ? 1e-12 * scale : 10 * more) {
    Eigen::MatrixXd factor = covariance;
    factor.diagonal().array() += noise + more;
    const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> factored(factor);
    if (factored.info() != Eigen::Success) continue;
    noise += more;
    return factor;
  }
  throw Error(ErrorCode::kBug, "a covariance matrix of ", covariance.rows(), " points has no Cholesky factor");
}

GaussianProcess::GaussianProcess(const Kernel& kernel, KernelInputs inputs, Eigen::VectorXd targets,
                                 GaussianProcessParameters parameters)
    : GaussianProcess(kernel, std::move(inputs), std::move(targets), std::move(parameters), Eigen::MatrixXd()) {}

GaussianProcess::GaussianProcess(const Kernel& kernel, KernelInputs inputs, Eigen::VectorXd targets,
                                 GaussianProcessParameters parameters, const Eigen::MatrixXd& noise)
    : kernel_(&kernel),
      inputs_(std::move(inputs)),
      warped_(kernel.warp(inputs_, parameters.kernel)),
      targets_(std::move(targets)),
      parameters_(std::move(parameters)) {
  double more = 0;
  factor_ = noise.size() == 0 ? cholesky_factor(own_covariance(), parameters_.signal, parameters_.noise)
                              : cholesky_factor(own_covariance() + noise, parameters_.signal, more);
  weights_ = weights_of(targets_);
}

Eigen::MatrixXd GaussianProcess::own_covariance() const {
  return parameters_.signal * kernel_->covariance(parameters_.kernel, warped_, warped_);
}

Eigen::MatrixXd GaussianProcess::weights_of(const Eigen::MatrixXd& targets) const {
  Eigen::MatrixXd weights = targets.array() - parameters_.mean;
  factor_.triangularView<Eigen::Lower>().solveInPlace(weights);
  factor_.triangularView<Eigen::Lower>().adjoint().solveInPlace(weights);
  return weights;
}

double GaussianProcess::log_marginal_likelihood() const {
  const double fit = (targets_.array() - parameters_.mean).matrix().dot(weights_);
  return -0.5 * fit - factor_.diagonal().array().log().sum() -
         0.5 * static_cast<double>(size()) * std::log(2 * std::numbers::pi);
}

GaussianProcess::Gradient GaussianProcess::gradient() const {
  Eigen::MatrixXd inverse = Eigen::MatrixXd::Identity(size(), size());
  factor_.triangularView<Eigen::Lower>().solveInPlace(inverse);
  inverse = (inverse.transpose() * inverse).eval();
  // Equation 5.9: half the trace of (w w^T - A^-1) dA.
  const Eigen::MatrixXd by_covariance = 0.5 * (weights_ * weights_.transpose() - inverse);
  KernelPairs pairs(*kernel_, inputs_);
  Eigen::MatrixXd covariance;
  pairs.evaluate(parameters_.kernel, covariance);
  covariance.triangularView<Eigen::StrictlyUpper>() = covariance.transpose();
  return {.kernel = pairs.gradient(parameters_.signal * by_covariance),
          .log_signal = parameters_.signal * by_covariance.cwiseProduct(covariance).sum(),
          .log_noise = parameters_.noise * by_covariance.trace(),
          .mean = weights_.sum()};
}

GaussianProcess::Cross GaussianProcess::cross(const KernelInputs& points) const {
  Cross cross;
  cross.covariance =
      parameters_.signal * kernel_->covariance(parameters_.kernel, warped_, kernel_->warp(points, parameters_.kernel));
  const Eigen::MatrixXd root = factor_.triangularView<Eigen::Lower>().solve(cross.covariance);
  cross.variance = (parameters_.signal - root.colwise().squaredNorm().transpose().array()).max(0.0);
  return cross;
}

GaussianProcess::Prediction GaussianProcess::predict(const KernelInputs& points) const {
  Cross known = cross(points);
  return {(known.covariance.transpose() * weights_).array() + parameters_.mean, std::move(known.variance)};
}

Eigen::MatrixXd GaussianProcess::covariance(const KernelInputs& points) const {
  const KernelInputs warped = kernel_->warp(points, parameters_.kernel);
  Eigen::MatrixXd root = parameters_.signal * kernel_->covariance(parameters_.kernel, warped_, warped);
  factor_.triangularView<Eigen::Lower>().solveInPlace(root);
  return parameters_.signal * kernel_->covariance(parameters_.kernel, warped, warped) - root.transpose() * root;
}

GaussianProcess::CrossSlopes GaussianProcess::cross_slopes(const KernelInputs& point) const {
  CrossSlopes cross;
  kernel_->row(parameters_.kernel, warped_, kernel_->warp(point, parameters_.kernel), cross.covariance,
               cross.covariance_slope);
  cross.covariance *= parameters_.signal;
  for (Eigen::Index c = 0; c < kernel_->dimensions(); ++c)
    cross.covariance_slope.col(c) *= parameters_.signal * kernel_->warp_slope(parameters_.kernel, c, point.x(0, c));
  Eigen::VectorXd solved = factor_.triangularView<Eigen::Lower>().solve(cross.covariance);
  cross.variance = std::max(0.0, parameters_.signal - solved.squaredNorm());
  factor_.triangularView<Eigen::Lower>().adjoint().solveInPlace(solved);
  cross.variance_slope = -2 * (cross.covariance_slope.transpose() * solved);
  return cross;
}

void GaussianProcess::rescale(double factor, double mean) {
  parameters_.signal *= factor;
  parameters_.noise *= factor;
  parameters_.mean = mean;
  factor_ *= std::sqrt(factor);
  weights_ = weights_of(targets_);
}

void GaussianProcess::append(const KernelInputs& point, double target) {
  const KernelInputs warped = kernel_->warp(point, parameters_.kernel);
  Eigen::VectorXd row = parameters_.signal * kernel_->covariance(parameters_.kernel, warped_, warped);
  factor_.triangularView<Eigen::Lower>().solveInPlace(row);
  const double rest = parameters_.signal + parameters_.noise - row.squaredNorm();
  const Eigen::Index n = size();
  factor_.conservativeResize(n + 1, n + 1);
  factor_.row(n).head(n) = row.transpose();
  factor_(n, n) = std::sqrt(std::max(rest, 1e-12 * parameters_.signal));  // the same point again, without noise
  const auto grow = [&](KernelInputs& all, const KernelInputs& one) {
    all.x.conservativeResize(n + 1, Eigen::NoChange);
    all.x.row(n) = one.x.row(0);
    all.active.conservativeResize(n + 1, Eigen::NoChange);
    if (all.active.cols() > 0) all.active.row(n) = one.active.row(0);
  };
  grow(inputs_, point);
  grow(warped_, warped);
  targets_.conservativeResize(n + 1);
  targets_[n] = target;
  weights_ = weights_of(targets_);
}

}  // namespace trireme::tune
