#include "models/checkpoint/box.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <set>

namespace trireme::models {
namespace {

// Element index, in the row-major memory of `box`, of the tensor's element `at`.
std::int64_t index_in(const Box& box, const Extents& at) {
  std::int64_t index = 0;
  for (std::size_t axis = 0; axis < at.size(); ++axis) index = index * box.size[axis] + (at[axis] - box.offset[axis]);
  return index;
}

std::string box_text(const Box& box) { return extents_text(box.offset) + " of size " + extents_text(box.size); }

}  // namespace

std::optional<std::int64_t> volume(const Extents& size) {
  constexpr std::int64_t kLimit = std::int64_t{1} << 59;
  std::int64_t product = 1;
  bool empty = false;
  for (const std::int64_t extent : size) {
    if (extent < 0) return std::nullopt;
    empty = empty || extent == 0;
  }
  if (empty) return 0;
  for (const std::int64_t extent : size) {
    if (product > kLimit / extent) return std::nullopt;
    product *= extent;
  }
  return product;
}

std::string extents_text(const Extents& extents) {
  std::string text = "[";
  for (const std::int64_t extent : extents) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

bool lies_inside(const Box& box, const Extents& shape) {
  if (box.offset.size() != shape.size() || box.size.size() != shape.size()) return false;
  for (std::size_t axis = 0; axis < shape.size(); ++axis)
    if (box.offset[axis] < 0 || box.size[axis] < 0 || box.offset[axis] > shape[axis] ||
        box.size[axis] > shape[axis] - box.offset[axis])
      return false;
  return true;
}

std::optional<Box> intersection(const Box& a, const Box& b) {
  Box common{Extents(a.offset.size()), Extents(a.offset.size())};
  for (std::size_t axis = 0; axis < a.offset.size(); ++axis) {
    const std::int64_t begin = std::max(a.offset[axis], b.offset[axis]);
    const std::int64_t end = std::min(a.offset[axis] + a.size[axis], b.offset[axis] + b.size[axis]);
    if (end <= begin) return std::nullopt;
    common.offset[axis] = begin;
    common.size[axis] = end - begin;
  }
  return common;
}

std::string tiling_fault(const Extents& shape, const std::vector<Box>& boxes) {
  const std::int64_t due = volume(shape).value_or(0);
  std::int64_t left = due;
  bool too_many = false;
  for (const Box& box : boxes) {
    if (!lies_inside(box, shape)) return "the slice at " + box_text(box) + " lies outside of " + extents_text(shape);
    const std::int64_t elements = *volume(box.size);
    if (elements == 0) return "the slice at " + box_text(box) + " is empty";
    too_many = too_many || elements > left;
    left -= std::min(left, elements);
  }
  if (!too_many && left > 0) return std::to_string(left) + " of " + std::to_string(due) + " elements are in no slice";

  // Sweep along the axis that tells most boxes apart: those that the sweep line is inside of are few.
  std::size_t axis = 0, most = 0;
  for (std::size_t candidate = 0; candidate < shape.size(); ++candidate) {
    std::set<std::int64_t> begins;
    for (const Box& box : boxes) begins.insert(box.offset[candidate]);
    if (begins.size() > most) most = begins.size(), axis = candidate;
  }
  const auto begin = [&](std::size_t i) { return shape.empty() ? 0 : boxes[i].offset[axis]; };
  const auto end = [&](std::size_t i) { return shape.empty() ? 1 : boxes[i].offset[axis] + boxes[i].size[axis]; };
  std::vector<std::size_t> order(boxes.size()), crossed;
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return begin(a) < begin(b); });
  for (const std::size_t next : order) {
    std::erase_if(crossed, [&](std::size_t i) { return end(i) <= begin(next); });
    for (const std::size_t other : crossed)
      if (intersection(boxes[next], boxes[other]))
        return "the slices at " + box_text(boxes[other]) + " and at " + box_text(boxes[next]) + " overlap";
    crossed.push_back(next);
  }
  return "";
}

void copy_box(const Box& part, const Box& from_box, const void* from, const Box& to_box, void* to,
              std::size_t bytes_per_element) {
  // Inner axes that are whole in both memories join into one run.
  std::size_t inner = part.size.size();
  std::int64_t run = 1;
  while (inner > 0) {
    --inner;
    run *= part.size[inner];
    if (part.size[inner] != from_box.size[inner] || part.size[inner] != to_box.size[inner]) break;
  }
  const std::size_t run_bytes = static_cast<std::size_t>(run) * bytes_per_element;
  Extents at = part.offset;
  for (;;) {
    std::memcpy(static_cast<char*>(to) + static_cast<std::size_t>(index_in(to_box, at)) * bytes_per_element,
                static_cast<const char*>(from) + static_cast<std::size_t>(index_in(from_box, at)) * bytes_per_element,
                run_bytes);
    std::size_t axis = inner;
    for (;;) {
      if (axis == 0) return;
      --axis;
      if (++at[axis] < part.offset[axis] + part.size[axis]) break;
      at[axis] = part.offset[axis];
    }
  }
}

std::optional<std::int64_t> contiguous_begin(const Box& part, const Box& box) {
  // Axes in front may hold one element of the box, one may be cut, those behind must be whole.
  std::size_t axis = 0;
  while (axis < part.size.size() && part.size[axis] == 1) ++axis;
  for (std::size_t behind = axis + 1; behind < part.size.size(); ++behind)
    if (part.size[behind] != box.size[behind]) return std::nullopt;
  return index_in(box, part.offset);
}

}  // namespace trireme::models
