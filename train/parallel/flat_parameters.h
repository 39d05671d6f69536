#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "models/parameters.h"

namespace trireme::train {

/// A model's weights in one row of memory, in the order in which the backward pass finishes their gradients (the last
/// layer first), so that a stretch of the row is ready to be reduced while earlier layers still compute.
///
/// Masters are float32 (float64 for fp64). With bf16 compute a second row holds the rounded weights that forward reads.
class FlatParameters {
 public:
  /// Binds parameters[i].value to this memory as leaves of autograd.
  FlatParameters(models::ParameterList& parameters, at::ScalarType compute_type);

  struct Entry {
    models::Parameter* parameter = nullptr;
    std::int64_t begin = 0, count = 0;  ///< place in the row of gradients, and of weights unless it is tied
    std::int64_t tied_begin = -1;       ///< where the weights lie that a tied parameter shares, or -1
  };
  const std::vector<Entry>& entries() const { return entries_; }
  /// Elements of the row of weights, padding included.
  std::int64_t size() const { return size_; }
  /// Elements of the row of gradients: tied parameters, which have gradients of their own, follow the weights.
  std::int64_t gradient_size() const { return gradient_size_; }

  at::ScalarType master_type() const { return master_type_; }
  at::ScalarType compute_type() const { return compute_type_; }
  at::Tensor& masters() { return masters_; }
  /// The master weights of one entry, in the parameter's shape.
  at::Tensor master(const Entry& entry) const;

  /// Fills masters with initial values.
  void initialise(std::uint64_t seed);
  /// To be called after masters changed, or those of a stretch of the row: with bf16 compute, rounds them into what
  /// forward reads.
  void publish() { publish(0, size_); }
  void publish(std::int64_t begin, std::int64_t count);

 private:
  std::vector<Entry> entries_;
  std::int64_t size_ = 0, gradient_size_ = 0;
  at::ScalarType master_type_, compute_type_;
  at::Tensor masters_, rounded_;
};

/// fp32 -> float32, bf16 -> bfloat16, fp64 -> float64
at::ScalarType compute_type(const std::string& precision);

}  // namespace trireme::train
