#include "tune/search/sobol.h"

#include <algorithm>
#include <bit>
#include <iterator>

namespace trireme::tune {
namespace {

// Of axes 1, 2, ...: a primitive polynomial over GF(2), the highest power in the highest bit, in ascending order, and
// as many initial numbers as it has powers, one axis behind the other. From new-joe-kuo-6.21201, Copyright (c) 2008,
// Frances Y. Kuo and Stephen Joe, BSD licence.
constexpr std::uint16_t kPolynomials[] = {
    3,   7,   11,  13,  19,  25,  37,  41,  47,  55,  59,  61,  67,  91,  97,  103, 109, 115, 131,  137,
    143, 145, 157, 167, 171, 185, 191, 193, 203, 211, 213, 229, 239, 241, 247, 253, 285, 299, 301,  333,
    351, 355, 357, 361, 369, 391, 397, 425, 451, 463, 487, 501, 529, 539, 545, 557, 563, 601, 607,  617,
    623, 631, 637, 647, 661, 675, 677, 687, 695, 701, 719, 721, 731, 757, 761, 787, 789, 799, 803,  817,
    827, 847, 859, 865, 875, 877, 883, 895, 901, 911, 949, 953, 967, 971, 973, 981, 985, 995, 1001, 1019};
constexpr std::uint16_t kInitialNumbers[] = {
    1,   1,   3,   1,   3,   1,   1,   1,   1,   1,   1,   3,   3,   1,   3,   5,   13,  1,   1,   5,   5,   17,  1,
    1,   5,   5,   5,   1,   1,   7,   11,  19,  1,   1,   5,   1,   1,   1,   1,   1,   3,   11,  1,   3,   5,   5,
    31,  1,   3,   3,   9,   7,   49,  1,   1,   1,   15,  21,  21,  1,   3,   1,   13,  27,  49,  1,   1,   1,   15,
    7,   5,   1,   3,   1,   15,  13,  25,  1,   1,   5,   5,   19,  61,  1,   3,   7,   11,  23,  15,  103, 1,   3,
    7,   13,  13,  15,  69,  1,   1,   3,   13,  7,   35,  63,  1,   3,   5,   9,   1,   25,  53,  1,   3,   1,   13,
    9,   35,  107, 1,   3,   1,   5,   27,  61,  31,  1,   1,   5,   11,  19,  41,  61,  1,   3,   5,   3,   3,   13,
    69,  1,   1,   7,   13,  1,   19,  1,   1,   3,   7,   5,   13,  19,  59,  1,   1,   3,   9,   25,  29,  41,  1,
    3,   5,   13,  23,  1,   55,  1,   3,   7,   3,   13,  59,  17,  1,   3,   1,   3,   5,   53,  69,  1,   1,   5,
    5,   23,  33,  13,  1,   1,   7,   7,   1,   61,  123, 1,   1,   7,   9,   13,  61,  49,  1,   3,   3,   5,   3,
    55,  33,  1,   3,   1,   15,  31,  13,  49,  245, 1,   3,   5,   15,  31,  59,  63,  97,  1,   3,   1,   11,  11,
    11,  77,  249, 1,   3,   1,   11,  27,  43,  71,  9,   1,   1,   7,   15,  21,  11,  81,  45,  1,   3,   7,   3,
    25,  31,  65,  79,  1,   3,   1,   1,   19,  11,  3,   205, 1,   1,   5,   9,   19,  21,  29,  157, 1,   3,   7,
    11,  1,   33,  89,  185, 1,   3,   3,   3,   15,  9,   79,  71,  1,   3,   7,   11,  15,  39,  119, 27,  1,   1,
    3,   1,   11,  31,  97,  225, 1,   1,   1,   3,   23,  43,  57,  177, 1,   3,   7,   7,   17,  17,  37,  71,  1,
    3,   1,   5,   27,  63,  123, 213, 1,   1,   3,   5,   11,  43,  53,  133, 1,   3,   5,   5,   29,  17,  47,  173,
    479, 1,   3,   3,   11,  3,   1,   109, 9,   69,  1,   1,   1,   5,   17,  39,  23,  5,   343, 1,   3,   1,   5,
    25,  15,  31,  103, 499, 1,   1,   1,   11,  11,  17,  63,  105, 183, 1,   1,   5,   11,  9,   29,  97,  231, 363,
    1,   1,   5,   15,  19,  45,  41,  7,   383, 1,   3,   7,   7,   31,  19,  83,  137, 221, 1,   1,   1,   3,   23,
    15,  111, 223, 83,  1,   1,   5,   13,  31,  15,  55,  25,  161, 1,   1,   3,   13,  25,  47,  39,  87,  257, 1,
    1,   1,   11,  21,  53,  125, 249, 293, 1,   1,   7,   11,  11,  7,   57,  79,  323, 1,   1,   5,   5,   17,  13,
    81,  3,   131, 1,   1,   7,   13,  23,  7,   65,  251, 475, 1,   3,   5,   1,   9,   43,  3,   149, 11,  1,   1,
    3,   13,  31,  13,  13,  255, 487, 1,   3,   3,   1,   5,   63,  89,  91,  127, 1,   1,   3,   3,   1,   19,  123,
    127, 237, 1,   1,   5,   7,   23,  31,  37,  243, 289, 1,   1,   5,   11,  17,  53,  117, 183, 491, 1,   1,   1,
    5,   1,   13,  13,  209, 345, 1,   1,   3,   15,  1,   57,  115, 7,   33,  1,   3,   1,   11,  7,   43,  81,  207,
    175, 1,   3,   1,   1,   15,  27,  63,  255, 49,  1,   3,   5,   3,   27,  61,  105, 171, 305, 1,   1,   5,   3,
    1,   3,   57,  249, 149, 1,   1,   3,   5,   5,   57,  15,  13,  159, 1,   1,   1,   11,  7,   11,  105, 141, 225,
    1,   3,   3,   5,   27,  59,  121, 101, 271, 1,   3,   5,   9,   11,  49,  51,  59,  115, 1,   1,   7,   1,   23,
    45,  125, 71,  419, 1,   1,   3,   5,   23,  5,   105, 109, 75,  1,   1,   7,   15,  7,   11,  67,  121, 453, 1,
    3,   7,   3,   9,   13,  31,  27,  449, 1,   3,   1,   15,  19,  39,  39,  89,  15,  1,   1,   1,   1,   1,   33,
    73,  145, 379, 1,   3,   1,   15,  15,  43,  29,  13,  483, 1,   1,   7,   3,   19,  27,  85,  131, 431, 1,   3,
    3,   3,   5,   35,  23,  195, 349, 1,   3,   3,   7,   9,   27,  39,  59,  297, 1,   1,   3,   9,   11,  17,  13,
    241, 157, 1,   3,   7,   15,  25,  57,  33,  189, 213, 1,   1,   7,   1,   9,   55,  73,  83,  217, 1,   3,   3,
    13,  19,  27,  23,  113, 249, 1,   3,   5,   3,   23,  43,  3,   253, 479, 1,   1,   5,   5,   11,  5,   45,  117,
    217, 1,   3,   3,   7,   29,  37,  33,  123, 147};
static_assert(std::size(kPolynomials) == Sobol::kAxes - 1);

using Directions = std::array<std::uint32_t, 32>;

// Bratley & Fox 1988, "Algorithm 659". @param initial  as many as the polynomial has powers
Directions directions_of(std::uint32_t polynomial, std::size_t degree, const std::uint16_t* initial) {
  Directions v{};
  for (std::size_t bit = 0; bit < v.size(); ++bit) {
    if (bit < degree) {
      v[bit] = std::uint32_t{initial[bit]} << (31 - bit);
      continue;
    }
    v[bit] = v[bit - degree] ^ (v[bit - degree] >> degree);
    for (std::size_t power = 1; power < degree; ++power)
      if (polynomial >> (degree - power) & 1) v[bit] ^= v[bit - power];
  }
  return v;
}

std::vector<Directions> directions_of_axes(std::size_t axes) {
  std::vector<Directions> directions(axes);
  const std::uint16_t* initial = kInitialNumbers;
  for (std::size_t axis = 0; axis < axes; ++axis) {
    if (axis == 0) {  // van der Corput's sequence
      for (std::size_t bit = 0; bit < 32; ++bit) directions[0][bit] = std::uint32_t{1} << (31 - bit);
      continue;
    }
    const std::uint32_t polynomial = kPolynomials[axis - 1];
    const auto degree = static_cast<std::size_t>(std::bit_width(polynomial)) - 1;
    directions[axis] = directions_of(polynomial, degree, initial);
    initial += degree;
  }
  return directions;
}

std::uint32_t reverse_bits(std::uint32_t x) {
  x = (x >> 1 & 0x55555555) | (x & 0x55555555) << 1;
  x = (x >> 2 & 0x33333333) | (x & 0x33333333) << 2;
  x = (x >> 4 & 0x0F0F0F0F) | (x & 0x0F0F0F0F) << 4;
  return __builtin_bswap32(x);
}

// Each bit is turned over or not by a hash of those above it. The hash lets bits only depend on lower ones, hence the
// reversal.
std::uint32_t scramble(std::uint32_t x, std::uint32_t seed) {
  x = reverse_bits(x);
  x ^= x * 0x3d20adea;
  x += seed;
  x *= seed >> 16 | 1;
  x ^= x * 0x05526c56;
  x ^= x * 0x53a22864;
  return reverse_bits(x);
}

}  // namespace

Sobol::Sobol(std::size_t dimensions, std::optional<std::uint64_t> seed)
    : dimensions_(dimensions),
      scrambled_(seed.has_value()),
      random_(seed.value_or(0), "tune/sobol"),
      directions_(directions_of_axes(std::min(dimensions, kAxes))) {
  const RandomStream keys(seed.value_or(0), "tune/sobol/scrambling");
  for (std::size_t axis = 0; axis < directions_.size(); ++axis)
    scrambles_.push_back(static_cast<std::uint32_t>(keys.bits(axis)));
}

void Sobol::point(std::uint64_t index, double* out) const {
  const auto gray = static_cast<std::uint32_t>(index ^ index >> 1);
  for (std::size_t axis = 0; axis < directions_.size(); ++axis) {
    std::uint32_t x = 0;
    for (std::uint32_t rest = gray; rest != 0; rest &= rest - 1) x ^= directions_[axis][std::countr_zero(rest)];
    out[axis] = scrambled_ ? (scramble(x, scrambles_[axis]) + 0.5) * 0x1p-32 : x * 0x1p-32;
  }
  for (std::size_t axis = directions_.size(); axis < dimensions_; ++axis) out[axis] = random_.uniform(index, axis);
}

std::vector<double> Sobol::point(std::uint64_t index) const {
  std::vector<double> out(dimensions_);
  point(index, out.data());
  return out;
}

}  // namespace trireme::tune
