#include "tune/bayes/surrogate.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "tune/bayes/elliptical_slice.h"
#include "tune/bayes/minimize.h"
#include "tune/bayes/sparse_process.h"

namespace trireme::tune {
namespace {

// Where hyperparameters stand in one row of numbers.
struct Layout {
  Eigen::Index dimensions, groups;
  Eigen::Index share() const { return dimensions; }
  Eigen::Index additive() const { return share() + groups; }
  Eigen::Index noise() const { return additive() + 1; }
  Eigen::Index delta() const { return noise() + 1; }
  Eigen::Index a() const { return delta() + 1; }
  Eigen::Index b() const { return a() + dimensions; }
  Eigen::Index size() const { return b() + dimensions; }
};

// Normal priors of the hyperparameters, and the bounds within which they are searched. Those with equal bounds are
// fixed.
struct Priors {
  explicit Priors(Eigen::Index size) : mean(size), deviation(size), low(size), high(size) {}
  void set(Eigen::Index at, double its_mean, double its_deviation, double its_low, double its_high) {
    mean[at] = its_mean;
    deviation[at] = its_deviation;
    low[at] = its_low;
    high[at] = its_high;
  }
  void fix(Eigen::Index at, double value) { set(at, value, 1, value, value); }
  Eigen::VectorXd mean, deviation, low, high;
};

// Widths that cover what tests of many functions came to, and no narrower: none of them was tuned finely.
Priors priors_of(const Layout& layout, const SurrogateOptions& options) {
  Priors priors(layout.size());
  const double usual = std::log(0.35) + 0.5 * std::log(std::max<double>(1, static_cast<double>(layout.dimensions)));
  for (Eigen::Index c = 0; c < layout.dimensions; ++c) {
    priors.set(c, -usual, 0.7, std::log(1 / 100.0), -std::log(options.shortest_length));
    for (const Eigen::Index warp : {layout.a() + c, layout.b() + c}) {
      if (options.warp)
        priors.set(warp, 0, 0.4, -1.4, 1.4);
      else
        priors.fix(warp, 0);
    }
  }
  for (Eigen::Index g = 0; g < layout.groups; ++g) priors.set(layout.share() + g, 0, 1.5, -6, 6);
  priors.set(layout.additive(), -2, 2, -6, 6);
  priors.set(layout.noise(), std::log(1e-5), 3, std::log(1e-8), std::log(2.0));
  if (options.delta)
    priors.fix(layout.delta(), std::log(*options.delta));
  else
    priors.set(layout.delta(), 0, 2, std::log(1e-4), std::log(1e3));
  return priors;
}

KernelParameters kernel_parameters(const Eigen::VectorXd& theta, const Layout& layout) {
  return {.log_inverse_length = theta.head(layout.dimensions),
          .log_a = theta.segment(layout.a(), layout.dimensions),
          .log_b = theta.segment(layout.b(), layout.dimensions),
          .share_logit = theta.segment(layout.share(), layout.groups),
          .additive_logit = theta[layout.additive()]};
}

constexpr double kShape = 0.5, kRate = 0.5;  // of the inverse gamma prior of the signal's variance

// What is not searched: the mean that explains targets best, given row sums of the inverse covariance, and the signal's
// variance, whose posterior is an inverse gamma distribution; `fit` is the quadratic form of what the mean leaves.
double solved_mean(const Eigen::VectorXd& row_sums, const Eigen::VectorXd& targets) {
  return row_sums.dot(targets) / row_sums.sum();
}
double signal_shape(Eigen::Index n) { return 0.5 * static_cast<double>(n) + kShape; }
double signal_rate(double fit) { return 0.5 * fit + kRate; }

// Every so many-th point in order of value, so that all heights are there; the best one among them.
std::vector<Eigen::Index> spread_choice(const Eigen::VectorXd& values, Eigen::Index most) {
  std::vector<Eigen::Index> order(static_cast<std::size_t>(values.size()));
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  if (values.size() <= most) return order;
  std::stable_sort(order.begin(), order.end(), [&](Eigen::Index a, Eigen::Index b) { return values[a] < values[b]; });
  std::vector<Eigen::Index> chosen;
  for (Eigen::Index i = 0; i < most; ++i) chosen.push_back(order[static_cast<std::size_t>(i * values.size() / most)]);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

// The process whose mean and variances are those that explain the observations.
// @param parameters  of mean 0 and signal 1
GaussianProcess solved_process(const Kernel& kernel, const KernelInputs& inputs, const Eigen::VectorXd& targets,
                               const GaussianProcessParameters& parameters) {
  GaussianProcess process(kernel, inputs, targets, parameters);
  // With mean 0 its weights of a column of ones are the row sums of the inverse covariance.
  const Eigen::VectorXd ones = Eigen::VectorXd::Ones(inputs.size());
  const double mean = solved_mean(process.weights_of(ones).col(0), targets);
  const Eigen::VectorXd rest = targets.array() - mean;
  const double fit = rest.dot(process.weights_of(rest).col(0));
  process.rescale(signal_rate(fit) / signal_shape(inputs.size()), mean);
  return process;
}

Surrogate surrogate_of(const Kernel& kernel, const KernelInputs& inputs, const Eigen::VectorXd& values,
                       const Eigen::VectorXd& theta, const Layout& layout, const SurrogateOptions& options) {
  OutputTransform transform(values, theta[layout.delta()]);
  const Eigen::VectorXd& targets = transform.results();
  const GaussianProcessParameters unit{kernel_parameters(theta, layout), 1, std::exp(theta[layout.noise()]), 0};
  if (inputs.size() <= options.most_exact) {
    GaussianProcess process = solved_process(kernel, inputs, targets, unit);
    return {std::move(transform), std::move(process)};
  }
  const auto inducing = inducing_points(kernel, inputs, targets, unit.kernel, options.most_inducing);
  // Not from the inducing points, of which half are the best.
  const std::vector<Eigen::Index> sample = spread_choice(targets, options.most_inducing);
  const GaussianProcess solved = solved_process(kernel, rows_of(inputs, sample), targets(sample), unit);
  GaussianProcess process = sparse_process(kernel, inputs, targets, solved.parameters(), inducing);
  return {std::move(transform), std::move(process)};
}

class Fit {
 public:
  Fit(const Kernel& kernel, const KernelInputs& inputs, const Eigen::VectorXd& values, const SurrogateOptions& options)
      : values_(values),
        pairs_(kernel, inputs),
        layout_{kernel.dimensions(), kernel.groups()},
        priors_(priors_of(layout_, options)),
        search_{.most_iterations = options.most_iterations, .gradient_tolerance = 1e-3, .value_tolerance = 1e-5} {}

  const Layout& layout() const { return layout_; }
  const Priors& priors() const { return priors_; }

  Minimum from(const Eigen::VectorXd& start) {
    return minimize([&](const auto& theta, auto& gradient) { return evaluate(theta, gradient); }, start, priors_.low,
                    priors_.high, search_);
  }

  // `count` draws of the posterior, by a chain that starts at a peak of it.
  std::vector<Eigen::VectorXd> draws(const Eigen::VectorXd& start, int count, TrialRandom& random) {
    constexpr int kSteps = 8;  // from one draw to the next
    constexpr double kNone = -std::numeric_limits<double>::infinity();
    const Eigen::VectorXd deviation = (priors_.low.array() < priors_.high.array()).select(priors_.deviation, 0);
    const auto likelihood = [&](const Eigen::VectorXd& theta) {
      const bool inside = (theta.array() >= priors_.low.array()).all() && (theta.array() <= priors_.high.array()).all();
      Eigen::MatrixXd factor;
      if (!inside || !factorise(theta, factor)) return kNone;
      const OutputTransform transform(values_, theta[layout_.delta()]);
      Eigen::MatrixXd halves(values_.size(), 2);
      halves << Eigen::VectorXd::Ones(values_.size()), transform.results();
      factor.triangularView<Eigen::Lower>().solveInPlace(halves);
      const double mean = halves.col(0).dot(halves.col(1)) / halves.col(0).squaredNorm();
      return -minus_log_likelihood(factor, (halves.col(1) - mean * halves.col(0)).squaredNorm(), transform);
    };
    SliceState state{start, likelihood(start)};
    std::vector<Eigen::VectorXd> drawn;
    for (int i = 0; i < count; ++i) {
      for (int step = 0; step < kSteps; ++step)
        state = elliptical_slice(likelihood, priors_.mean, deviation, state, random);
      drawn.push_back(state.x);
    }
    return drawn;
  }

 private:
  // The Cholesky factor of the covariance over the signal's variance; false where rounding left none.
  bool factorise(const Eigen::VectorXd& theta, Eigen::MatrixXd& factor) {
    pairs_.evaluate(kernel_parameters(theta, layout_), factor);
    factor.diagonal().array() += std::exp(theta[layout_.noise()]);
    const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> factored(factor);
    return factored.info() == Eigen::Success;
  }

  // But for a constant; `fit` is the quadratic form of what the mean leaves.
  static double minus_log_likelihood(const Eigen::MatrixXd& factor, double fit, const OutputTransform& transform) {
    return factor.diagonal().array().log().sum() + signal_shape(factor.rows()) * std::log(signal_rate(fit)) -
           transform.log_jacobian();
  }

  // Minus the log posterior density and its gradient.
  double evaluate(const Eigen::VectorXd& theta, Eigen::VectorXd& gradient) {
    const Eigen::Index n = values_.size();
    Eigen::MatrixXd factor;
    if (!factorise(theta, factor)) return std::numeric_limits<double>::infinity();
    Eigen::MatrixXd root = Eigen::MatrixXd::Identity(n, n);
    factor.triangularView<Eigen::Lower>().solveInPlace(root);
    Eigen::MatrixXd inverse = Eigen::MatrixXd::Zero(n, n);
    inverse.selfadjointView<Eigen::Lower>().rankUpdate(root.transpose());
    inverse.triangularView<Eigen::StrictlyUpper>() = inverse.transpose();

    const OutputTransform transform(values_, theta[layout_.delta()]);
    const Eigen::VectorXd row_sums = inverse.rowwise().sum();
    const Eigen::VectorXd rest = transform.results().array() - solved_mean(row_sums, transform.results());
    const Eigen::VectorXd weights = inverse * rest;
    const double fit = rest.dot(weights), signal = signal_rate(fit) / signal_shape(n);

    const Eigen::VectorXd z = (theta - priors_.mean).cwiseQuotient(priors_.deviation);
    const Eigen::MatrixXd by_covariance = 0.5 * (inverse - weights * weights.transpose() / signal);
    const KernelParameters by_kernel = pairs_.gradient(by_covariance);
    gradient = z.cwiseQuotient(priors_.deviation);
    gradient.head(layout_.dimensions) += by_kernel.log_inverse_length;
    gradient.segment(layout_.share(), layout_.groups) += by_kernel.share_logit;
    gradient.segment(layout_.a(), layout_.dimensions) += by_kernel.log_a;
    gradient.segment(layout_.b(), layout_.dimensions) += by_kernel.log_b;
    gradient[layout_.additive()] += by_kernel.additive_logit;
    gradient[layout_.noise()] += std::exp(theta[layout_.noise()]) * by_covariance.trace();
    gradient[layout_.delta()] += weights.dot(transform.slopes()) / signal - transform.log_jacobian_slope();
    return minus_log_likelihood(factor, fit, transform) + 0.5 * z.squaredNorm();
  }

  const Eigen::VectorXd& values_;
  KernelPairs pairs_;
  Layout layout_;
  Priors priors_;
  MinimizeOptions search_;
};

// What hyperparameters are searched on.
struct Sample {
  Sample(const KernelInputs& all, const Eigen::VectorXd& all_values, Eigen::Index most) {
    const std::vector<Eigen::Index> chosen = spread_choice(all_values, most);
    inputs = rows_of(all, chosen);
    values = all_values(chosen);
  }
  KernelInputs inputs;
  Eigen::VectorXd values;
};

// The likeliest hyperparameters.
Minimum likeliest(const Kernel& kernel, const Sample& sample, const SurrogateOptions& options) {
  SurrogateOptions plain = options;
  plain.warp = false;
  Fit fit(kernel, sample.inputs, sample.values, plain);
  const Layout& layout = fit.layout();
  // The density often has a peak for each explanation of the same values: a smooth function, or a rough one with noise.
  Eigen::VectorXd rough = fit.priors().mean;
  rough.head(layout.dimensions).array() += 1;
  rough[layout.noise()] = std::log(1e-2);
  Minimum best = fit.from(fit.priors().mean);
  if (Minimum other = fit.from(rough); other.value < best.value) best = std::move(other);
  if (options.warp) {
    Eigen::VectorXd start = best.x;
    start.tail(2 * layout.dimensions).setConstant(1e-3);  // at 0 a warp is none, and has no gradient
    // It has to be likelier by a nat: more parameters explain a little more by chance.
    Minimum warped = Fit(kernel, sample.inputs, sample.values, options).from(start);
    if (warped.value < best.value - 1) best = std::move(warped);
  }
  return best;
}

}  // namespace

bool Surrogate::is_exact() const {
  constexpr double kExactNoise = 1e-4;  // of the signal
  return process.parameters().noise <= kExactNoise * process.parameters().signal;
}

Surrogate fit_surrogate(const Kernel& kernel, const KernelInputs& inputs, const Eigen::VectorXd& values,
                        const SurrogateOptions& options) {
  const Minimum best = likeliest(kernel, Sample(inputs, values, options.most_searched), options);
  return surrogate_of(kernel, inputs, values, best.x, {kernel.dimensions(), kernel.groups()}, options);
}

std::vector<Surrogate> fit_surrogates(const Kernel& kernel, const KernelInputs& inputs, const Eigen::VectorXd& values,
                                      const SurrogateOptions& options, int draws, TrialRandom& random) {
  const Sample sample(inputs, values, options.most_searched);
  const Minimum best = likeliest(kernel, sample, options);
  const Layout layout{kernel.dimensions(), kernel.groups()};
  std::vector<Surrogate> surrogates{surrogate_of(kernel, inputs, values, best.x, layout, options)};
  if (draws == 0 || surrogates.front().is_exact()) return surrogates;
  Fit fit(kernel, sample.inputs, sample.values, options);
  for (const Eigen::VectorXd& theta : fit.draws(best.x, draws, random))
    surrogates.push_back(surrogate_of(kernel, inputs, values, theta, layout, options));
  return surrogates;
}

}  // namespace trireme::tune
