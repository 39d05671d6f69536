#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "models/config.h"
#include "models/part.h"

namespace trireme::models {

/// Keys and values of the tokens that a batch of sequences has seen, so that each new token costs one position. All
/// sequences have the same length.
class KvCache {
 public:
  /// @param part      whose layers it serves
  /// @param capacity  tokens a sequence; the cache takes 2 * layers * batch * kv_heads * capacity * head_width elements
  KvCache(const ModelConfig& config, const Part& part, std::int64_t batch, std::int64_t capacity, at::ScalarType type);

  /// Tokens held, before those of a forward that is under way.
  std::int64_t length() const { return length_; }
  std::int64_t capacity() const { return capacity_; }

  /// Stores one layer's keys and values [B, Hkv, T, D] behind the tokens held and returns all of that layer, [B, Hkv,
  /// length() + T, D]. @throws Error kBadInput when capacity is exceeded
  std::pair<at::Tensor, at::Tensor> extend(std::int64_t layer, const at::Tensor& keys, const at::Tensor& values);
  /// One layer's keys and values of what an encoder gave, which stay the same for one text: made once.
  std::pair<at::Tensor, at::Tensor> memory(std::int64_t layer,
                                           const std::function<std::pair<at::Tensor, at::Tensor>()>& make);
  /// Holds nothing from now on.
  void clear() {
    length_ = 0;
    memory_.clear();
  }
  /// Ends a forward: its `tokens` count as held from now on.
  void advance(std::int64_t tokens) { length_ += tokens; }

 private:
  std::vector<at::Tensor> keys_, values_;
  std::map<std::int64_t, std::pair<at::Tensor, at::Tensor>> memory_;  // by layer
  std::int64_t first_, length_ = 0, capacity_;
};

}  // namespace trireme::models
