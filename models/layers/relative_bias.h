#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "models/parameters.h"

namespace trireme::models {

/// What is added to attention's scores for how far a key lies from a query: a number for each head and range of
/// distances, ranges that grow with the distance.
/// Source: Raffel et al. 2019, arXiv:1910.10683, section 2.1; ranges as published with the weights.
class RelativeBias {
 public:
  struct Options {
    std::int64_t buckets = 32;    ///< ranges of distances
    std::int64_t distance = 128;  ///< from which on all are in the last one
    bool both_sides = true;       ///< keys behind a query have half of the ranges; else it sees none
  };
  /// Adds prefix + "weight" [buckets, heads].
  RelativeBias(ParameterList& parameters, const std::string& prefix, std::int64_t heads, Init init,
               const Options& options);

  /// [H, T, L] of queries at `offset` to offset + T - 1 and keys from 0 on, in the weights' type.
  at::Tensor forward(std::int64_t queries, std::int64_t keys, std::int64_t offset) const;

 private:
  Options options_;
  const Parameter* weight_;
};

}  // namespace trireme::models
