#include "models/checkpoint/export_weights.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/base/error.h"
#include "models/adapters/base_link.h"
#include "models/checkpoint/box.h"
#include "models/checkpoint/manifest.h"

namespace trireme::models {
namespace {

using nlohmann::json;

// Adapters that lie elsewhere still know their base.
std::map<std::string, std::string> companions_from_elsewhere(const Checkpoint& from) {
  std::map<std::string, std::string> companions = companions_of(from);
  if (const auto base = companions.find(kBaseFile); base != companions.end()) {
    BaseLink link = base_link_from_json(base->second, from.directory().string() + "/" + kBaseFile);
    link.path = std::filesystem::absolute(from.directory() / link.path).lexically_normal();
    base->second = to_json(link);
  }
  return companions;
}

// What of the trainer's object is about the weights.
std::string training_of(const Checkpoint& from, bool average) {
  const json training = json::parse(from.training_json());
  json kept = {{"weights", average ? "ema" : "current"}};
  for (const char* key : {"step", "tokens", "samples-hash", "corpus-hash", "config"})
    if (training.contains(key)) kept[key] = training[key];
  for (const char* key : {"eval-loss", "eval-step", "eval-bits-per-byte"})  // of the current weights
    if (!average && training.contains(key)) kept[key] = training[key];
  return kept.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

Committed export_weights(const Checkpoint& from, const std::filesystem::path& to, bool average) {
  if (std::filesystem::exists(to)) throw Error(ErrorCode::kUsage, to.string(), " exists; choose a name that is free");
  const std::string prefix = average ? kAveragePrefix : kWeightsPrefix;
  std::vector<TensorSlice> slices;
  std::size_t most = 0;
  for (const Checkpoint::Tensor& tensor : from.tensors()) {
    if (!tensor.name.starts_with(prefix)) continue;
    append_row_slices(slices, kWeightsPrefix + tensor.name.substr(prefix.size()), tensor.type, tensor.shape);
  }
  for (const TensorSlice& slice : slices)
    most = std::max(most, static_cast<std::size_t>(*volume(slice.size)) * bytes_per_element(slice.type));
  if (slices.empty())
    throw Error(ErrorCode::kBadInput, from.directory().string(), " holds no ",
                average ? "average of its weights: it was trained with optimizer.ema-decay 0" : "weights");
  std::vector<char> buffer(most);
  const auto data = [&](std::size_t i) -> const void* {
    const TensorSlice& slice = slices[i];
    from.read(prefix + slice.name.substr(std::string_view(kWeightsPrefix).size()), slice.offset, slice.size,
              buffer.data());
    return buffer.data();
  };
  const auto alone = make_self_communicator();
  return write_checkpoint(
      *alone, to, slices,
      {from.model_json(), training_of(from, average), from.tokenizer_json(), "", companions_from_elsewhere(from)},
      data);
}

}  // namespace trireme::models
