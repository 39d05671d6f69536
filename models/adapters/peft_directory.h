#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/adapters/adapted_source.h"
#include "models/hugging_face/hf_place.h"
#include "models/model_source.h"

namespace trireme::models {

/// A linear layer of a decoder's blocks, and the module of theirs that it is, or is a part of.
struct PeftModule {
  const Parameter* weight;  ///< ours, [O, I]
  std::string target;       ///< of kAdapterTargets
  std::int64_t layer;
  std::string module;              ///< "model.layers.0.self_attn.q_proj"
  std::int64_t outputs;            ///< of that module
  std::vector<std::int64_t> rows;  ///< of its outputs, those that are ours
  bool transposed;                 ///< their matrix is [inputs, outputs]
};
/// Those that an adapter may change. @param model  without adapters; outlives the result
std::vector<PeftModule> peft_modules(const Model& model);

/// Adapters as Hugging Face's PEFT stores them: adapter_config.json and adapter_model.safetensors. Adapters are small,
/// and are held in memory. What LoRA does in another way (DoRA, bias, whole modules beside it) is an error that names
/// it. Source: https://github.com/huggingface/peft, LoraConfig.
class PeftDirectory final : public ModelSource {
 public:
  static bool is_one(const std::filesystem::path& path);

  /// @param base  that they change: its shape decides theirs
  /// @throws Error kNotFound, kBadInput, kCorrupt
  PeftDirectory(std::filesystem::path path, const ModelSource& base);

  std::string where() const override { return path_.string(); }
  const std::string& model_json() const override { return model_json_; }
  StoredType type(const Parameter& parameter) const override;
  void read_rows(const Parameter& parameter, std::int64_t first, std::int64_t count, void* out) const override;
  std::optional<std::string> companion(const std::string& name) const override;

 private:
  const at::Tensor& tensor(const Parameter& parameter) const;

  const std::filesystem::path path_;
  std::string model_json_;
  std::map<std::string, at::Tensor> tensors_;  // by our name
};

/// With their base, which lies in `base`, or where adapter_config.json says.
/// @throws Error kNotFound when it does not; kBadInput when it has adapters itself
std::unique_ptr<ModelSource> open_peft(const std::filesystem::path& path, const std::filesystem::path& base);

}  // namespace trireme::models
