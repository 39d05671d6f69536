#include "tune/search/cma_distribution.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>

namespace trireme::tune {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

// Logarithmic, of the better half; fewer samples than that share the weight. Tutorial, equation (49).
VectorXd weights_of(std::size_t generation_size, std::size_t samples) {
  const auto count = static_cast<Eigen::Index>(std::min(generation_size / 2, samples));
  VectorXd weights(count);
  for (Eigen::Index i = 0; i < count; ++i)
    weights[i] = std::log((static_cast<double>(generation_size) + 1) / 2) - std::log(static_cast<double>(i) + 1);
  return weights / weights.sum();
}

}  // namespace

CmaDistribution::CmaDistribution(const VectorXd& mean, double deviation, std::size_t generation_size,
                                 const VectorXd& least)
    : mean_(mean),
      sigma_(deviation),
      generation_size_(generation_size),
      least_(least),
      covariance_(MatrixXd::Identity(mean.size(), mean.size())),
      sigma_path_(VectorXd::Zero(mean.size())),
      covariance_path_(VectorXd::Zero(mean.size())) {
  decompose();
}

VectorXd CmaDistribution::draw(TrialRandom& random) const {
  VectorXd z(mean_.size());
  for (double& number : z) number = random.normal();
  VectorXd x = mean_ + sigma_ * widening_.cwiseProduct(axes_ * lengths_.cwiseProduct(z));
  for (double& position : x) position = mirrored(position);
  return x;
}

void CmaDistribution::update(const std::vector<VectorXd>& samples) {
  const auto n = static_cast<double>(mean_.size());
  const VectorXd full = weights_of(generation_size_, generation_size_);
  const double mass = 1 / full.squaredNorm();
  const double c_path = (4 + mass / n) / (n + 4 + 2 * mass / n);
  const double c_sigma = (mass + 2) / (n + mass + 5);
  const double c_one = 2 / ((n + 1.3) * (n + 1.3) + mass);
  const double c_many = std::min(1 - c_one, 2 * (mass - 2 + 1 / mass) / ((n + 2) * (n + 2) + mass));
  const double damping = 1 + 2 * std::max(0.0, std::sqrt((mass - 1) / (n + 1)) - 1) + c_sigma;
  const double expected_length = std::sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n));

  const VectorXd weights = weights_of(generation_size_, samples.size());
  MatrixXd steps(mean_.size(), weights.size());
  for (Eigen::Index i = 0; i < weights.size(); ++i)
    steps.col(i) = (samples[static_cast<std::size_t>(i)] - mean_).cwiseQuotient(sigma_ * widening_);
  const VectorXd step = steps * weights;
  const double scale = std::sqrt(1 / weights.squaredNorm());
  mean_ += sigma_ * widening_.cwiseProduct(step);

  const VectorXd whitened = axes_ * (axes_.transpose() * step).cwiseQuotient(lengths_);
  sigma_path_ = (1 - c_sigma) * sigma_path_ + std::sqrt(c_sigma * (2 - c_sigma)) * scale * whitened;
  ++generation_;
  const double settled = std::sqrt(1 - std::pow(1 - c_sigma, 2 * static_cast<double>(generation_)));
  const bool calm = sigma_path_.norm() / settled < (1.4 + 2 / (n + 1)) * expected_length;
  covariance_path_ = (1 - c_path) * covariance_path_ + calm * std::sqrt(c_path * (2 - c_path)) * scale * step;

  const double lost = calm ? 0 : c_one * c_path * (2 - c_path);
  covariance_ = (1 - c_one - c_many + lost) * covariance_ + c_one * covariance_path_ * covariance_path_.transpose() +
                c_many * steps * weights.asDiagonal() * steps.transpose();
  sigma_ *= std::exp(std::min(1.0, c_sigma / damping * (sigma_path_.norm() / expected_length - 1)));
  decompose();
}

double CmaDistribution::largest_deviation() const { return sigma_ * std::sqrt(covariance_.diagonal().maxCoeff()); }

double CmaDistribution::condition() const {
  const double ratio = lengths_.maxCoeff() / lengths_.minCoeff();
  return ratio * ratio;
}

void CmaDistribution::decompose() {
  covariance_ = (covariance_ + covariance_.transpose().eval()) / 2;
  const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(covariance_);
  axes_ = solver.eigenvectors();
  const double least_eigenvalue = std::max(solver.eigenvalues().maxCoeff() * 1e-16, 1e-300);
  lengths_ = solver.eigenvalues().cwiseMax(least_eigenvalue).cwiseSqrt();
  const VectorXd deviations = (sigma_ * covariance_.diagonal().cwiseSqrt()).cwiseMax(1e-150);
  widening_ = least_.cwiseQuotient(deviations).cwiseMax(1.0);
}

}  // namespace trireme::tune
