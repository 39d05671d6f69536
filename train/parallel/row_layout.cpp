#include "train/parallel/row_layout.h"

#include <algorithm>
#include <string_view>

namespace trireme::train {
namespace {

std::int64_t rounded_up(std::int64_t count, std::int64_t multiple) {
  return (count + multiple - 1) / multiple * multiple;
}

}  // namespace

std::size_t RowLayout::segment_at(std::int64_t element) const {
  const auto next = std::ranges::upper_bound(segments, element, {}, &Segment::begin);
  return static_cast<std::size_t>(next - segments.begin()) - 1;
}

RowLayout::RowLayout(models::ParameterList& parameters) {
  constexpr std::int64_t kAlignment = 16;  // a cache line of float32
  for (const bool tied : {false, true}) {
    std::string_view segment;
    for (auto parameter = parameters.all().rbegin(); parameter != parameters.all().rend(); ++parameter) {
      if (parameter->frozen || (parameter->tied_to != nullptr) != tied) continue;
      if (models::group_of(parameter->name) != segment) {
        segment = models::group_of(parameter->name);
        gradient_size = rounded_up(gradient_size, kBlockElements);
        segments.push_back({std::string(segment), gradient_size, gradient_size});
      }
      entries.push_back({&*parameter, gradient_size, parameter->elements()});
      gradient_size += rounded_up(parameter->elements(), kAlignment);
      segments.back().end = rounded_up(gradient_size, kBlockElements);
    }
    gradient_size = rounded_up(gradient_size, kBlockElements);
    if (!tied) size = gradient_size;
  }
  for (Entry& entry : entries)
    for (const Entry& other : entries)
      if (entry.parameter->tied_to == other.parameter) entry.tied_begin = other.begin;
  for (std::size_t i = 0; i < entries.size(); ++i)
    entries[i].room = (i + 1 < entries.size() ? entries[i + 1].begin : gradient_size) - entries[i].begin;
  for (Segment& segment : segments)
    for (const Entry& entry : entries)
      if (entry.begin == segment.begin) segment.tied_begin = entry.tied_begin;
}

}  // namespace trireme::train
