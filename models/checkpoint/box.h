#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace trireme::models {

using Extents = std::vector<std::int64_t>;  ///< an entry an axis

/// A box of a tensor. A scalar has no axes and one element.
struct Box {
  Extents offset;
  Extents size;
};

/// Elements of a box of this size; nothing when an extent is negative or the product exceeds 2^59, so that 8 times it
/// still fits a signed 64-bit number. Sizes from a file pass through here before anything multiplies them.
std::optional<std::int64_t> volume(const Extents& size);

/// "[2, 3]"
std::string extents_text(const Extents& extents);

/// True when the box has the tensor's number of axes and leaves none of them.
bool lies_inside(const Box& box, const Extents& shape);

/// What two boxes of one tensor share; nothing when that is empty.
std::optional<Box> intersection(const Box& a, const Box& b);

/// Why boxes do not cover every element of a tensor exactly once, naming the boxes; empty when they do. A tensor
/// without elements is covered by no box, and a box without elements is a fault. About n * sqrt(n) for a grid of n
/// boxes.
std::string tiling_fault(const Extents& shape, const std::vector<Box>& boxes);

/// Copies the elements of `part`, which lies inside both boxes, between their row-major memories.
void copy_box(const Box& part, const Box& from_box, const void* from, const Box& to_box, void* to,
              std::size_t bytes_per_element);

/// When the elements of `part` lie one after another in the memory of `box`: the element at which they begin.
std::optional<std::int64_t> contiguous_begin(const Box& part, const Box& box);

}  // namespace trireme::models
