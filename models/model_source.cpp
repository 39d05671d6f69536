#include "models/model_source.h"

#include <algorithm>

#include "core/base/error.h"
#include "models/adapters/adapted_source.h"
#include "models/adapters/base_link.h"
#include "models/adapters/peft_directory.h"
#include "models/checkpoint/run_checkpoints.h"
#include "models/hugging_face/hf_directory.h"
#include "models/model.h"

namespace trireme::models {

CheckpointSource::CheckpointSource(Checkpoint checkpoint, Weights weights)
    : checkpoint_(std::move(checkpoint)),
      weights_(weights),
      prefix_(weights == Weights::kAverage ? kAveragePrefix : kWeightsPrefix) {
  const bool has_average = std::ranges::any_of(
      checkpoint_.tensors(), [](const Checkpoint::Tensor& tensor) { return tensor.name.starts_with(kAveragePrefix); });
  if (weights == Weights::kAverage && !has_average)
    throw Error(ErrorCode::kBadInput, where(),
                " holds no average of its weights: it was trained with optimizer.ema-decay 0");
}

StoredType CheckpointSource::type(const Parameter& parameter) const {
  const std::string name = prefix_ + parameter.name;
  const auto found = std::ranges::lower_bound(checkpoint_.tensors(), name, {}, &Checkpoint::Tensor::name);
  if (found == checkpoint_.tensors().end() || found->name != name)
    throw Error(ErrorCode::kBadInput, where(), " has no tensor ", name);
  if (found->shape != parameter.shape)
    throw Error(ErrorCode::kBadInput, where(), ": tensor ", name, " has another shape than the model");
  return found->type;
}

std::optional<std::string> CheckpointSource::known_weights_hash() const {
  return prefix_ == kWeightsPrefix ? std::optional(checkpoint_.weights_hash()) : std::nullopt;
}

void CheckpointSource::read_rows(const Parameter& parameter, std::int64_t first, std::int64_t count, void* out) const {
  std::vector<std::int64_t> offset(parameter.shape.size(), 0), size = parameter.shape;
  offset.at(0) = first;
  size.at(0) = count;
  checkpoint_.read(prefix_ + parameter.name, offset, size, out);
}

bool has_adapters(const ModelSource& source) {
  return model_from_json(source.model_json(), source.where())->config().lora.rank > 0;
}

namespace {

[[noreturn]] void refuse_adapters(const std::filesystem::path& model) {
  throw Error(ErrorCode::kBadInput, model.string(),
              " is to be the base of adapters and holds adapters itself; trireme-model merge makes one model of them");
}

std::unique_ptr<ModelSource> open_checkpoint(const std::filesystem::path& model, const OpenOptions& options) {
  auto source = std::make_unique<CheckpointSource>(open_model(model, options.step), options.weights);
  if (has_adapters(*source)) {
    if (options.whole) refuse_adapters(model);
    auto base = open_base(source->checkpoint(), options.base);
    return std::make_unique<AdaptedSource>(std::move(source), std::move(base));
  }
  if (!options.base.empty())
    throw Error(ErrorCode::kUsage, "--base is of adapters; ", model.string(), " holds a whole model");
  return source;
}

}  // namespace

std::unique_ptr<ModelSource> open_source(const std::filesystem::path& model, const OpenOptions& options) {
  const bool is_peft = PeftDirectory::is_one(model);
  if (!is_peft && !HfDirectory::is_one(model)) return open_checkpoint(model, options);
  const std::string what = is_peft ? " is a directory of adapters" : " is a Hugging Face directory";
  if (options.step != "newest")
    throw Error(ErrorCode::kUsage, "--step ", options.step, " chooses a checkpoint of a run; ", model.string(), what);
  if (options.weights == Weights::kAverage)
    throw Error(ErrorCode::kUsage, model.string(), what, ", which holds no average of its weights");
  if (is_peft && options.whole) refuse_adapters(model);
  if (is_peft) return open_peft(model, options.base);
  if (!options.base.empty()) throw Error(ErrorCode::kUsage, "--base is of adapters; ", model.string(), what);
  return std::make_unique<HfDirectory>(model);
}

}  // namespace trireme::models
