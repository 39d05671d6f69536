#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "models/checkpoint/box.h"
#include "models/parameters.h"

namespace trireme::models {

/// Where the elements of one of our parameters lie in a tensor of a Hugging Face directory: in runs of `run` elements,
/// the first at `offset`, each `stride` elements behind the one before. With `transposed` they are a matrix of theirs,
/// [inputs, outputs], and ours is its transpose.
struct HfPlace {
  std::string tensor;
  Extents shape;  ///< theirs
  std::int64_t offset = 0, run = 0, stride = 0;
  bool transposed = false;

  /// Whether it is all of their tensor, in order.
  bool is_whole() const { return !transposed && offset == 0 && run == stride && run == volume(shape); }
};

/// Rows [first, first + count) of a parameter's first axis, from their tensor or into it; `item` bytes an element.
void take_rows(const HfPlace& place, const Parameter& parameter, std::int64_t first, std::int64_t count,
               std::size_t item, const void* theirs, void* ours);
void put_rows(const HfPlace& place, const Parameter& parameter, std::int64_t first, std::int64_t count,
              std::size_t item, const void* ours, void* theirs);

/// All of a tensor of the parameter's shape.
HfPlace whole_tensor(std::string tensor, const Parameter& parameter);
/// Rows [first, first + those of the parameter) of a tensor with `rows` of them: projections that lie one behind
/// another.
HfPlace rows_of_tensor(std::string tensor, const Parameter& parameter, std::int64_t rows, std::int64_t first);

/// Under the names that most decoders there share: "model.layers.7.self_attn.q_proj.weight" and so on.
/// @throws Error kBug for a parameter that they have no name for
HfPlace usual_place(const Parameter& parameter);
std::string usual_name(const Parameter& parameter);

}  // namespace trireme::models
