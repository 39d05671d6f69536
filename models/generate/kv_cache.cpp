#include "models/generate/kv_cache.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>

#include "core/base/error.h"

namespace trireme::models {

KvCache::KvCache(const ModelConfig& config, const Part& part, std::int64_t batch, std::int64_t capacity,
                 at::ScalarType type)
    : first_(part.first), capacity_(capacity) {
  for (std::int64_t layer = part.first; layer < std::min(part.last, config.layers); ++layer) {
    keys_.push_back(at::empty({batch, config.kv_heads_or_default(), capacity, config.head_width_or_default()}, type));
    values_.push_back(at::empty_like(keys_.back()));
  }
}

std::pair<at::Tensor, at::Tensor> KvCache::extend(std::int64_t layer, const at::Tensor& keys,
                                                  const at::Tensor& values) {
  const std::int64_t tokens = keys.size(2);
  if (tokens > capacity_ - length_)
    throw Error(ErrorCode::kBadInput, "the cache holds ", capacity_, " tokens; ", length_ + tokens, " were asked for");
  const auto i = static_cast<std::size_t>(layer - first_);
  keys_[i].narrow(2, length_, tokens).copy_(keys);
  values_[i].narrow(2, length_, tokens).copy_(values);
  return {keys_[i].narrow(2, 0, length_ + tokens), values_[i].narrow(2, 0, length_ + tokens)};
}

std::pair<at::Tensor, at::Tensor> KvCache::memory(std::int64_t layer,
                                                  const std::function<std::pair<at::Tensor, at::Tensor>()>& make) {
  const auto known = memory_.find(layer);
  return known != memory_.end() ? known->second : memory_.emplace(layer, make()).first->second;
}

}  // namespace trireme::models
