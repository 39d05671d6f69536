#pragma once
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/hugging_face/hf_place.h"
#include "models/kernels/ops.h"
#include "models/model.h"

namespace trireme::models {

class HfConfig;
class HfConfigWriter;

/// A value of model.head that a family has, and what the model with it is called at Hugging Face.
struct Architecture {
  std::string_view head, name;
  std::string_view module = "";  ///< of classes and labels: what "head" is called there
};

/// One architecture: what it is made of, which keys of model.* it honours, and what it is called at Hugging Face.
/// Each has a folder, and a line in registry.cpp.
struct Family {
  std::string_view name;  ///< also the model_type of a config.json
  /// Keys of model.* that it honours beside those that all do (registry.cpp). Another key that is not at its default is
  /// an error.
  std::vector<std::string_view> keys;
  /// Where model.activation and model.parallel-residual are auto.
  ops::Activation activation;
  bool parallel_residual = false;
  /// @throws Error kUsage naming the key that cannot be honoured
  std::unique_ptr<Model> (*build)(const ModelConfig& config, std::int64_t vocabulary, Part part);

  /// config.json to model.* and back. `read` leaves a key that it does not know unread, which is then an error.
  void (*read_config)(HfConfig& from, ModelConfig& to);
  void (*write_config)(const ModelConfig& from, HfConfigWriter& to);
  /// Where the weights of a parameter lie in the tensors of a Hugging Face directory.
  HfPlace (*place)(const ModelConfig& config, const Parameter& parameter);
  std::vector<Architecture> architectures;  ///< the usual one first
  std::string_view base_prefix;  ///< "model.": may be missing from the names in files of models without a head
  /// Parts of names that files of other versions spell differently: one is as good as the other.
  std::vector<std::pair<std::string_view, std::string_view>> renamed{};
  /// Endings of tensors' names that are in some files and are no weights: tables of angles and masks.
  std::vector<std::string_view> not_weights{};
  /// Names of tensors that hold another one a second time, {copy, original}: they have to be equal.
  std::vector<std::pair<std::string_view, std::string_view>> copies{};
  /// Beginnings of names of weights that other heads have: they are passed over, with a warning.
  std::vector<std::string_view> of_other_heads{};
  enum class Kind {
    kDecoder,         ///< goes on with a text
    kEncoder,         ///< reads texts as a whole and goes on with none: it has embeddings
    kEncoderDecoder,  ///< reads one text and writes another
  };
  Kind kind = Kind::kDecoder;
};

/// What a model of this family with this head is called there. @throws Error kUsage where the family has no such head
const Architecture& architecture_of(const Family& family, const std::string& head);
/// Family::place, and that of what ends in classes or labels.
HfPlace place_of(const Family& family, const ModelConfig& config, const Parameter& parameter);

/// Those of families that go on with a text.
std::vector<std::string> decoder_names();
Family::Kind kind_of(const ModelConfig& config);

/// The value of a key, or where it is "auto" the family's, which is the first one allowed.
/// @throws Error kUsage when the family cannot honour it
std::string_view chosen(const std::string& value, std::string_view key, std::string_view family,
                        std::initializer_list<std::string_view> allowed);

/// model.activation, or the family's.
ops::Activation activation_of(const ModelConfig& config);
/// As model.activation spells it.
std::string_view activation_name(ops::Activation activation);
/// model.parallel-residual, or the family's.
bool has_parallel_residual(const ModelConfig& config);

}  // namespace trireme::models
