#include "tune/bayes/sparse_process.h"

#include <algorithm>
#include <numeric>

namespace trireme::tune {
std::vector<Eigen::Index> inducing_points(const Kernel& kernel, const KernelInputs& inputs,
                                          const Eigen::VectorXd& targets, const KernelParameters& parameters,
                                          Eigen::Index most) {
  constexpr double kTheSame = 1 - 1e-6;
  const KernelInputs warped = kernel.warp(inputs, parameters);
  Eigen::VectorXd likeness = Eigen::VectorXd::Zero(inputs.size());  // to what is chosen
  std::vector<Eigen::Index> chosen;
  const auto choose = [&](Eigen::Index i) {
    chosen.push_back(i);
    likeness = likeness.cwiseMax(kernel.covariance(parameters, warped, rows_of(warped, {i})).col(0));
  };
  std::vector<Eigen::Index> order(static_cast<std::size_t>(inputs.size()));
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  std::stable_sort(order.begin(), order.end(), [&](Eigen::Index a, Eigen::Index b) { return targets[a] < targets[b]; });
  const auto size = [&] { return static_cast<Eigen::Index>(chosen.size()); };
  for (const Eigen::Index i : order) {
    if (2 * size() >= most && size() > 0) break;
    if (size() == 0 || likeness[i] < kTheSame) choose(i);
  }
  while (size() < most) {
    Eigen::Index next = 0;
    if (likeness.minCoeff(&next) >= kTheSame) break;
    choose(next);
  }
  return chosen;
}

GaussianProcess sparse_process(const Kernel& kernel, const KernelInputs& inputs, const Eigen::VectorXd& targets,
                               const GaussianProcessParameters& parameters, const std::vector<Eigen::Index>& inducing) {
  using Eigen::Lower, Eigen::MatrixXd, Eigen::VectorXd;
  const KernelInputs warped = kernel.warp(inputs, parameters.kernel);
  const KernelInputs points = rows_of(inputs, inducing), warped_points = rows_of(warped, inducing);

  double jitter = 0;
  const MatrixXd factor =
      cholesky_factor(parameters.signal * kernel.covariance(parameters.kernel, warped_points, warped_points),
                      parameters.signal, jitter)
          .triangularView<Lower>();
  // V, with V^T V what inducing points explain of the observations' covariance; the rest of its diagonal is noise.
  MatrixXd explained = parameters.signal * kernel.covariance(parameters.kernel, warped_points, warped);
  factor.triangularView<Lower>().solveInPlace(explained);
  const VectorXd rest =
      ((parameters.signal - explained.colwise().squaredNorm().transpose().array()).max(0.0) + parameters.noise)
          .max(1e-12 * parameters.signal);
  explained *= rest.cwiseSqrt().cwiseInverse().asDiagonal();
  const VectorXd scaled = (targets.array() - parameters.mean) / rest.array().sqrt();

  // What observations say of the whitened function at the inducing points has precision C = V rest^-1 V^T: as if it was
  // observed at C^-1 V rest^-1 (y - mean) with noise C^-1.
  MatrixXd precision = MatrixXd::Zero(points.size(), points.size());
  precision.selfadjointView<Lower>().rankUpdate(explained);
  precision.triangularView<Eigen::StrictlyUpper>() = precision.transpose();
  double more = 0;
  const MatrixXd root = cholesky_factor(precision, precision.diagonal().maxCoeff(), more).triangularView<Lower>();
  VectorXd seen = explained * scaled;
  root.triangularView<Lower>().solveInPlace(seen);
  root.transpose().triangularView<Eigen::Upper>().solveInPlace(seen);
  MatrixXd spread = factor.transpose();
  root.triangularView<Lower>().solveInPlace(spread);

  MatrixXd noise = spread.transpose() * spread;
  noise.diagonal().array() += jitter;
  return GaussianProcess(kernel, points, (factor * seen).array() + parameters.mean, parameters, noise);
}

}  // namespace trireme::tune
