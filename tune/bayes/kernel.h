#pragma once
#include <Eigen/Core>
#include <cstddef>
#include <vector>

#include "tune/space/space.h"

namespace trireme::tune {

/// Points as a kernel computes with them: a row a point, a column a dimension.
struct KernelInputs {
  Eigen::MatrixXd x;       ///< position of ordered dimensions, level of unordered ones; 0 where inactive
  Eigen::ArrayXXd active;  ///< a column a group of conditional dimensions: 1 where its dimensions are there
  Eigen::Index size() const { return x.rows(); }
};

/// Some of the points.
inline KernelInputs rows_of(const KernelInputs& inputs, const std::vector<Eigen::Index>& rows) {
  return {inputs.x(rows, Eigen::all), inputs.active(rows, Eigen::all)};
}

/// What a kernel is set to.
struct KernelParameters {
  Eigen::VectorXd log_inverse_length;  ///< a dimension
  Eigen::VectorXd log_a, log_b;        ///< exponents of the warp, a dimension; both 0: none
  Eigen::VectorXd share_logit;         ///< c_g, a group of conditional dimensions
  double additive_logit = 0;           ///< s
};

/// How alike two points are, from 0 to 1 for the same:
///
///     k(x, x') = ((1 - s) M(r_0) + s mean over dimensions i of M(r_i)) * product over groups g of f_g(x, x')
///     f_g = c_g + (1 - c_g) M(r_g)   where g's dimensions are there in both points,
///           c_g in one only, and 1 in neither
///
/// M is Matern's function with nu = 5/2; r_0 the distance over the n dimensions that are always there, r_0^2 = sum of
/// ((w(x_i) - w(x'_i)) / l_i)^2, and r_i that in one of them alone, with length scale l_i / sqrt(n) (so that both parts
/// vary alike). For dimensions without an order the difference is 1 for other values. The part of single dimensions
/// lets what was seen at one value of a parameter count for all values of the others, as far as the function adds up
/// like that.
///
/// Conditional dimensions under the same conditions form a group. What is inactive contributes nothing, and f_g is the
/// covariance of a constant a branch plus a process within it, so k stays positive definite for any mixture of
/// branches.
///
/// w is the Kumaraswamy distribution function 1 - (1 - x^a)^b, which lets a function vary faster at one end of a range.
///
/// Sources: Rasmussen and Williams 2006, section 4.2 (Matern), 5.1 (a length scale a dimension); Duvenaud et al. 2011,
/// "Additive Gaussian processes", arXiv:1112.4394; Snoek et al. 2014, "Input warping for Bayesian optimization of
/// non-stationary functions", arXiv:1402.0929; Hutter and Osborne 2013, "A kernel for hierarchical parameter spaces",
/// arXiv:1310.5738, for why a distance alone does not do for conditions.
class Kernel {
 public:
  struct Column {
    std::size_t dimension;  ///< of the space
    bool ordered;
    Eigen::Index group;  ///< of conditional dimensions, from 1 on; 0: always there
  };

  /// Dimensions of a single value have no column. The space has to outlive the kernel.
  explicit Kernel(const Space& space);

  Eigen::Index dimensions() const { return static_cast<Eigen::Index>(columns_.size()); }
  Eigen::Index groups() const { return static_cast<Eigen::Index>(group_dimension_.size()); }
  /// Dimensions that are always there: the n of above.
  Eigen::Index shared_dimensions() const { return shared_; }
  const Column& column(Eigen::Index c) const { return columns_[static_cast<std::size_t>(c)]; }

  KernelInputs inputs(const std::vector<Point>& points) const;
  KernelInputs inputs(const Point& point) const { return inputs(std::vector<Point>{point}); }

  /// Columns warped; once for many covariances.
  KernelInputs warp(const KernelInputs& inputs, const KernelParameters& parameters) const;
  /// The derivative of the warp of one column.
  double warp_slope(const KernelParameters& parameters, Eigen::Index column, double x) const;

  /// [a, b] of warped inputs.
  Eigen::MatrixXd covariance(const KernelParameters& parameters, const KernelInputs& a, const KernelInputs& b) const;

  /// Covariances of one warped point with `warped`, and their derivatives by the point's warped columns.
  /// @param jacobian  [n, dimensions]; columns without an order and inactive ones are 0
  void row(const KernelParameters& parameters, const KernelInputs& warped, const KernelInputs& point,
           Eigen::VectorXd& covariance, Eigen::MatrixXd& jacobian) const;

 private:
  const Space* space_;
  std::vector<Column> columns_;
  std::vector<std::size_t> group_dimension_;  // a dimension of each conditional group
  Eigen::Index shared_ = 0;
};

/// The covariance of points with themselves, for many parameters: each pair is looked at once, and its differences are
/// kept.
class KernelPairs {
 public:
  /// Both have to outlive it.
  KernelPairs(const Kernel& kernel, const KernelInputs& inputs);

  /// Lower triangle and diagonal of the covariance matrix; the rest is left as it is.
  void evaluate(const KernelParameters& parameters, Eigen::MatrixXd& covariance);

  /// For each parameter, the sum over all elements of `weights` times the element's derivative, at the parameters that
  /// were evaluated last.
  /// @param weights  [n, n] symmetric; its lower triangle is read
  KernelParameters gradient(const Eigen::MatrixXd& weights);

 private:
  void set_warp(const KernelParameters& parameters);
  Eigen::Index pairs() const { return squares_.rows(); }

  const Kernel& kernel_;
  const KernelInputs& inputs_;
  KernelInputs warped_;
  KernelParameters parameters_;
  Eigen::ArrayXXd squares_;                 // [pairs, dimensions]: squared differences
  std::vector<Eigen::ArrayXd> both_, one_;  // a group: 1 where its dimensions are there in both points, in one only
  std::vector<Eigen::ArrayXd> values_, slopes_;  // a group, 0 for what is always there: M and its derivative
  std::vector<Eigen::ArrayXd> factors_;          // a group: what k is the product of
  std::vector<Eigen::ArrayXd> single_slopes_;    // a dimension that is always there: of its M alone
  Eigen::ArrayXd single_mean_;                   // mean of these M
};

}  // namespace trireme::tune
