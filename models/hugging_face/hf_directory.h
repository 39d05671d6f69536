#pragma once
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "models/config.h"
#include "models/hugging_face/hf_place.h"
#include "models/model_source.h"
#include "models/safetensors/safetensors_folder.h"

namespace trireme::models {

struct Family;
class Model;

/// model.* and the vocabulary's size that a config.json describes, with all of its options honoured.
struct HfModelConfig {
  ModelConfig config;
  std::int64_t vocabulary = 0;
};
/// @throws Error kBadInput for an unknown model_type, a value that is not honoured, an option that is not known; each
/// by
///         name. Special ids outside of the vocabulary are a warning
HfModelConfig read_hf_config(const std::string& text, const std::string& where);

/// The names that a tensor may have in the files of a family: its own, and those of other versions.
std::vector<std::string> tensor_spellings(const Family& family, const std::string& tensor);

/// A directory as Hugging Face's tools make it: config.json, weights as safetensors, texts of the tokenizer. Weights
/// are read where they are mapped.
class HfDirectory final : public ModelSource {
 public:
  /// Whether it looks like one: a config.json, and no checkpoint of ours.
  static bool is_one(const std::filesystem::path& path);

  /// Reads config.json and the headers of the weights, and compares them: every weight is there in its shape, and there
  /// is no other. @throws Error kNotFound, kBadInput, kCorrupt
  explicit HfDirectory(std::filesystem::path path);

  const ModelConfig& config() const { return model_.config; }
  const Family& family() const { return family_; }
  const SafetensorsFolder& weights() const { return weights_; }

  std::string where() const override { return path_.string(); }
  const std::string& model_json() const override { return model_json_; }
  StoredType type(const Parameter& parameter) const override;
  void read_rows(const Parameter& parameter, std::int64_t first, std::int64_t count, void* out) const override;
  std::optional<std::string> companion(const std::string& name) const override;
  const void* mapped(const Parameter& parameter) const override;

 private:
  struct Weight {
    Extents shape;  // ours
    HfPlace place;
    const SafetensorsFolder::Tensor* tensor;
  };
  void find_weights();
  const SafetensorsFolder::Tensor* find(const std::string& tensor, std::set<std::string>& used) const;
  void expect_same(const SafetensorsFolder::Tensor& copy, const SafetensorsFolder::Tensor& original,
                   const char* why) const;
  void expect_tied_head(const Model& model, std::set<std::string>& used) const;
  const Weight& weight(const Parameter& parameter) const;

  const std::filesystem::path path_;
  const HfModelConfig model_;
  const Family& family_;
  const std::string model_json_;
  const SafetensorsFolder weights_;
  std::map<std::string, Weight> found_;  // by our name
};

}  // namespace trireme::models
