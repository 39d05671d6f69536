#include "tune/bayes/expected_improvement.h"

#include <cmath>
#include <numbers>

namespace trireme::tune {
namespace {

const double kLogRoot2Pi = 0.5 * std::log(2 * std::numbers::pi);

// exp(x^2) erfc(x) for x >= 0: straight where erfc is no denormal, beyond by its continued fraction.
double scaled_erfc(double x) {
  if (x < 20) return std::exp(x * x) * std::erfc(x);
  const double square = x * x;
  return (1 - 1 / (2 * square) * (1 - 3 / (2 * square) * (1 - 5 / (2 * square)))) / (x * std::sqrt(std::numbers::pi));
}

double normal_density(double z) { return std::exp(-0.5 * z * z - kLogRoot2Pi); }
double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

// log of density(z) + z cdf(z), the improvement of a standard normal beyond -z.
double log_improvement(double z) {
  if (z > -1) return std::log(normal_density(z) + z * normal_cdf(z));
  // density(z) (1 - |z| cdf(z) / density(z)); the quotient is Mills' ratio.
  const double ratio = -z * std::sqrt(std::numbers::pi / 2) * scaled_erfc(-z / std::numbers::sqrt2);
  // Beyond 1e3, 1 - ratio is all rounding; there it is 1 / z^2 - 3 / z^4.
  const double rest = z < -1e3 ? (1 - 3 / (z * z)) / (z * z) : 1 - ratio;
  return -0.5 * z * z - kLogRoot2Pi + std::log(rest);
}

}  // namespace

LogNormalCdf log_normal_cdf(double z) {
  if (z > -1) return {std::log(normal_cdf(z)), normal_density(z) / normal_cdf(z)};
  // cdf = density * sqrt(pi / 2) * scaled erfc
  const double ratio = std::sqrt(std::numbers::pi / 2) * scaled_erfc(-z / std::numbers::sqrt2);
  return {-0.5 * z * z - kLogRoot2Pi + std::log(ratio), 1 / ratio};
}

LogExpectedImprovement log_expected_improvement(double best, double mean, double deviation) {
  const double z = (best - mean) / deviation, log_h = log_improvement(z);
  const double density = std::exp(-0.5 * z * z - kLogRoot2Pi - log_h);  // over h
  // cdf / h = (1 - density / h) / z, but for z near 0.
  const double cdf = z > -1 ? normal_cdf(z) * std::exp(-log_h) : (1 - density) / z;
  return {std::log(deviation) + log_h, -cdf / deviation, density / deviation};
}

}  // namespace trireme::tune
