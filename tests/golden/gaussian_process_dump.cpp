#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/base/random.h"
#include "tune/bayes/gaussian_process.h"

// Gaussian processes at fixed hyperparameters, a JSON object each, for gaussian_process_oracle.py.
namespace {

using namespace trireme;
using namespace trireme::tune;

std::vector<double> row(const Eigen::VectorXd& values) { return {values.data(), values.data() + values.size()}; }

nlohmann::json example(std::uint64_t seed, std::size_t dimensions, std::size_t points, double additive_logit) {
  const RandomStream random(seed, "gaussian_process_dump");
  std::uint64_t drawn = 0;
  const auto draw = [&](double low, double high) { return low + (high - low) * random.uniform(drawn++); };

  std::vector<Dimension> list(dimensions);
  for (std::size_t d = 0; d < dimensions; ++d) list[d].name = "x" + std::to_string(d);
  const Space space(list);
  const Kernel kernel(space);
  const auto some_points = [&](std::size_t count) {
    std::vector<Point> some(count, Point(dimensions));
    for (Point& point : some)
      for (double& x : point) x = draw(0, 1);
    return some;
  };
  const std::vector<Point> known = some_points(points), asked = some_points(7);
  Eigen::VectorXd targets(static_cast<Eigen::Index>(points));
  for (double& target : targets) target = draw(-2, 3);

  const auto d = static_cast<Eigen::Index>(dimensions);
  GaussianProcessParameters parameters;
  parameters.kernel = {Eigen::VectorXd(d), Eigen::VectorXd::Zero(d), Eigen::VectorXd::Zero(d), Eigen::VectorXd(0),
                       additive_logit};
  for (double& length : parameters.kernel.log_inverse_length) length = draw(-1.5, 2);
  parameters.signal = draw(0.2, 5);
  parameters.noise = std::exp(draw(-7, 0));
  parameters.mean = draw(-1, 1);
  const GaussianProcess process(kernel, kernel.inputs(known), targets, parameters);
  const auto prediction = process.predict(kernel.inputs(asked));
  const auto gradient = process.gradient();
  return {{"known", known},
          {"asked", asked},
          {"targets", row(targets)},
          {"lengths", row((-parameters.kernel.log_inverse_length.array()).exp())},
          {"signal", parameters.signal},
          {"noise", parameters.noise},
          {"mean", parameters.mean},
          {"additive", 1 / (1 + std::exp(-additive_logit))},
          {"log_marginal_likelihood", process.log_marginal_likelihood()},
          {"gradient_log_inverse_length", row(gradient.kernel.log_inverse_length)},
          {"gradient_log_signal", gradient.log_signal},
          {"gradient_log_noise", gradient.log_noise},
          {"prediction", row(prediction.mean)},
          {"variance", row(prediction.variance)}};
}

}  // namespace

int main() {
  std::uint64_t seed = 0;
  for (const double additive_logit : {-50.0, -1.0, 1.5})
    for (const std::size_t dimensions : {1u, 3u, 7u})
      for (const std::size_t points : {1u, 5u, 40u})
        std::cout << example(++seed, dimensions, points, additive_logit).dump() << "\n";
}
