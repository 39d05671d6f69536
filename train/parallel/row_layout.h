#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "models/parameters.h"

namespace trireme::train {

/// Elements of a block. A gradient norm is a sum over blocks, so whatever shares a row out cuts it between them.
inline constexpr std::int64_t kBlockElements = 4096;

/// Where every parameter of a model lies in one row: in the order in which the backward pass finishes their gradients
/// (the last layer first), so that a stretch of the row is ready to be summed while earlier layers still compute.
/// Parameters whose weights are another one's have gradients of their own, which follow behind all weights. Frozen ones
/// have no place.
struct RowLayout {
  struct Entry {
    models::Parameter* parameter = nullptr;
    std::int64_t begin = 0, count = 0;  ///< place in the row of gradients, and of weights unless it is tied
    std::int64_t tied_begin = -1;       ///< where the weights lie that a tied parameter shares, or -1
    std::int64_t room = 0;              ///< elements up to the next one, padding included
    bool is_of_layer() const { return parameter->name.starts_with("blocks."); }
  };
  /// The parameters of one layer, or one of those outside all layers: whole blocks, padded with zeros at the end.
  struct Segment {
    std::string name;  ///< models::group_of its parameters
    std::int64_t begin = 0, end = 0;
    std::int64_t tied_begin = -1;  ///< the segment whose weights it shares, or -1
    bool is_layer() const { return name.starts_with("blocks."); }
  };

  RowLayout() = default;
  explicit RowLayout(models::ParameterList& parameters);

  /// The number of the segment that an element of the row of gradients lies in.
  std::size_t segment_at(std::int64_t element) const;

  std::vector<Entry> entries;
  std::vector<Segment> segments;
  std::int64_t size = 0;           ///< elements of the row of weights, padding included
  std::int64_t gradient_size = 0;  ///< of the row of gradients: tied ones as well
};

}  // namespace trireme::train
