#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/random.h"

namespace trireme::tune {

/// Sobol's sequence: points in the unit cube that fill it more evenly than random ones. Any 2^k points from a multiple
/// of 2^k on have one number in each of the 2^k equal parts of every axis, and pairs of early axes are even in the
/// plane.
///
/// Sources: Joe & Kuo 2008, "Constructing Sobol sequences with better two-dimensional projections", SIAM J. Sci.
/// Comput. 30, and their direction numbers new-joe-kuo-6.21201. Scrambling: Owen 1995, "Randomly permuted
/// (t,m,s)-nets", by the hash of Burley 2020, "Practical hash-based Owen scrambling", JCGT 9(4), with the constants of
/// Vegdahl 2021, "Building a better LK hash".
///
/// Axes from kAxes on, which few spaces have, are plain random numbers: the far axes of a Sobol sequence need thousands
/// of points before pairs of them are even.
class Sobol {
 public:
  static constexpr std::size_t kAxes = 101;  ///< all primitive polynomials up to degree 9

  /// @param seed  of the scrambling: other seeds give independent sequences, of the same evenness, that are random
  /// enough
  ///              for a Monte Carlo estimate. Nothing: the plain sequence, whose first point is the cube's corner 0.
  Sobol(std::size_t dimensions, std::optional<std::uint64_t> seed);

  std::size_t dimensions() const { return dimensions_; }
  /// Writes point `index`, in Gray code order; numbers lie in [0, 1), scrambled ones in (0, 1). The sequence repeats
  /// itself from 2^32 on.
  void point(std::uint64_t index, double* out) const;
  std::vector<double> point(std::uint64_t index) const;

 private:
  static constexpr std::size_t kBits = 32;
  std::size_t dimensions_;
  bool scrambled_;
  RandomStream random_;                                       // axes beyond the table
  std::vector<std::array<std::uint32_t, kBits>> directions_;  // of an axis: what each bit of the index turns over
  std::vector<std::uint32_t> scrambles_;                      // of an axis: the seed of its scrambling
};

}  // namespace trireme::tune
