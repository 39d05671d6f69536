#include "models/hugging_face/hf_directory.h"

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/config/json.h"
#include "models/checkpoint/manifest.h"
#include "models/family.h"
#include "models/hugging_face/hf_config.h"
#include "models/registry.h"

namespace trireme::models {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigFile = "config.json";
constexpr std::uint64_t kMostConfigBytes = std::uint64_t{4} << 20;
constexpr std::uint64_t kMostCompanionBytes = std::uint64_t{1} << 30;
constexpr std::int64_t kMostVocabulary = std::int64_t{1} << 31;

// Every value as a field of ours takes it: sizes in their ranges above all, before anything multiplies them.
void expect_in_range(const ModelConfig& config, const std::string& where) {
  ModelConfig copy = config, checked;
  try {
    from_json(to_json(fields_of(copy)), fields_of(checked), where);
  } catch (const Error& error) {
    throw Error(ErrorCode::kBadInput, error.what());
  }
}

void warn_of_special_ids(HfConfig& config, std::int64_t vocabulary) {
  for (const char* key : kSpecialIdKeys) {
    if (!config.has(key)) continue;
    for (const std::int64_t id : config.one_or_more_integers(key))
      if (id < 0 || id >= vocabulary)
        log_warning(config.where() + ": " + key + " " + std::to_string(id) + " lies outside of the vocabulary of " +
                    std::to_string(vocabulary));
  }
}

fs::path config_of(const fs::path& path) {
  if (!fs::exists(path / kConfigFile)) throw Error(ErrorCode::kNotFound, path.string(), " has no ", kConfigFile);
  return path / kConfigFile;
}

// Names what there is instead where there are no safetensors.
SafetensorsFolder opened_weights(const fs::path& path) {
  for (const char* pickle : {"pytorch_model.bin", "pytorch_model.bin.index.json"})
    if (fs::exists(path / pickle) && !fs::exists(path / "model.safetensors") &&
        !fs::exists(path / "model.safetensors.index.json"))
      throw Error(ErrorCode::kBadInput, path.string(), " holds ", pickle,
                  ", a pickle, which can run any code when it is opened; save it as safetensors");
  return SafetensorsFolder(path);
}

}  // namespace

namespace {

// model.head, which the class that a directory names has.
std::string head_of(HfConfig& config, const Family& family) {
  const std::vector<std::string> named = config.texts("architectures");
  std::vector<std::string> known;
  for (const Architecture& one : family.architectures) {
    if (named.empty() || named[0] == one.name) return std::string(one.head);
    known.emplace_back(one.name);
  }
  config.fail("architectures", "must be " + join(known, " or ") + " for model_type " + std::string(family.name) +
                                   ", got '" + one_line(named[0], 80) + "'");
}

}  // namespace

HfModelConfig read_hf_config(const std::string& text, const std::string& where) {
  HfConfig config(text, where);
  const std::string type = config.model_type();
  const std::vector<std::string> known = family_names();
  if (std::ranges::find(known, type) == known.end())
    throw Error(ErrorCode::kBadInput, where, ": model_type must be one of ", join(known, ", "), ", got '", type, "'",
                did_you_mean(type, known));
  const Family& family = find_family(type);
  const std::string head = head_of(config, family);
  if (config.has("quantization_config"))
    config.fail("quantization_config", "is not supported: weights must be floating-point numbers");
  config.expect("is_causal", true);
  HfModelConfig model;
  model.config.family = type;
  model.config.head = head;
  if (model.config.classifies()) model.config.labels = read_labels(config);
  model.vocabulary = config.integer("vocab_size");
  if (model.vocabulary < 1 || model.vocabulary > kMostVocabulary)
    config.fail("vocab_size", "must lie between 1 and 2^31, got " + std::to_string(model.vocabulary));
  family.read_config(config, model.config);
  warn_of_special_ids(config, model.vocabulary);
  config.expect_all_read();
  if (head == "classes" && family.kind == Family::Kind::kDecoder) {
    model.config.padding = config.integer("pad_token_id", -1);
    if (model.config.padding < 0 || model.config.padding >= model.vocabulary) model.config.padding = -1;
  }
  expect_in_range(model.config, where);
  return model;
}

std::vector<std::string> tensor_spellings(const Family& family, const std::string& tensor) {
  std::vector<std::string> names = {tensor};
  for (const auto& [one, other] : family.renamed)
    if (const std::size_t at = tensor.find(one); at != std::string::npos)
      names.push_back(tensor.substr(0, at) + std::string(other) + tensor.substr(at + one.size()));
  for (const std::string& name : std::vector<std::string>(names))
    names.push_back(name.starts_with(family.base_prefix) ? name.substr(family.base_prefix.size())
                                                         : std::string(family.base_prefix) + name);
  return names;
}

bool HfDirectory::is_one(const fs::path& path) {
  return fs::exists(path / kConfigFile) && !fs::exists(path / kManifestFile) && !fs::exists(path / "config.yaml");
}

HfDirectory::HfDirectory(fs::path path)
    : path_(std::move(path)),
      model_(read_hf_config(read_file(config_of(path_), kMostConfigBytes), (path_ / kConfigFile).string())),
      family_(find_family(model_.config.family)),
      model_json_(models::model_json(model_.config, model_.vocabulary)),
      weights_(opened_weights(path_)) {
  find_weights();
}

// The tensor of that name, or of one that it may have in other files.
const SafetensorsFolder::Tensor* HfDirectory::find(const std::string& tensor, std::set<std::string>& used) const {
  for (const std::string& name : tensor_spellings(family_, tensor))
    if (const auto found = weights_.tensors().find(name); found != weights_.tensors().end()) {
      used.insert(name);
      return &found->second;
    }
  return nullptr;
}

void HfDirectory::find_weights() {
  const auto model = [&] {
    try {
      return build_model(model_.config, model_.vocabulary);
    } catch (const Error& error) {
      throw Error(ErrorCode::kBadInput, (path_ / kConfigFile).string(), ": ", error.what());
    }
  }();
  std::vector<std::string> missing;
  std::set<std::string> used;  // of theirs
  for (const Parameter& parameter : model->parameters().all()) {
    if (parameter.tied_to) continue;
    HfPlace place = place_of(family_, model_.config, parameter);
    const SafetensorsFolder::Tensor* const tensor = find(place.tensor, used);
    if (!tensor) {
      missing.push_back(place.tensor);
      continue;
    }
    if (tensor->entry.shape != place.shape)
      throw Error(ErrorCode::kBadInput, where(), ": tensor ", tensor->entry.name, " has the shape ",
                  extents_text(tensor->entry.shape), "; config.json describes ", extents_text(place.shape));
    if (!tensor->entry.other_type.empty() || !is_floating(tensor->entry.type))
      throw Error(ErrorCode::kBadInput, where(), ": tensor ", tensor->entry.name, " has the type ",
                  dtype_of(tensor->entry), "; weights must be floating-point numbers");
    found_.emplace(parameter.name, Weight{parameter.shape, std::move(place), tensor});
  }
  const auto some = [](std::vector<std::string> names) {
    constexpr std::size_t kMost = 5;
    const std::size_t count = names.size();
    names.resize(std::min(count, kMost));
    return join(names, ", ") + (count > kMost ? " and " + std::to_string(count - kMost) + " more" : "");
  };
  if (!missing.empty())
    throw Error(ErrorCode::kBadInput, where(), " has no tensor ", some(missing), ", which its config.json describes");
  expect_tied_head(*model, used);
  for (const auto& [copy, original] : family_.copies)
    for (const std::string& prefix : {std::string(), std::string(family_.base_prefix)}) {
      const auto found = weights_.tensors().find(prefix + std::string(copy));
      if (found == weights_.tensors().end() || used.contains(found->first)) continue;
      if (const SafetensorsFolder::Tensor* const first = find(std::string(original), used)) {
        expect_same(found->second, *first, "their models read one tensor for both");
        used.insert(found->first);
      }
    }
  std::vector<std::string> strange, of_other_heads;
  for (const auto& [name, tensor] : weights_.tensors()) {
    if (used.contains(name) ||
        std::ranges::any_of(family_.not_weights, [&](std::string_view ending) { return name.ends_with(ending); }))
      continue;
    const bool other =
        std::ranges::any_of(family_.of_other_heads, [&](std::string_view start) { return name.starts_with(start); });
    (other ? of_other_heads : strange).push_back(name);
  }
  if (!of_other_heads.empty())
    log_warning(where() + ": " + some(of_other_heads) + ", of another head than config.json names, are passed over");
  if (!strange.empty())
    throw Error(ErrorCode::kBadInput, where(), " holds the tensor ", some(strange),
                ", which is no part of the model that its config.json describes");
}

// Some files hold a tied head a second time.
void HfDirectory::expect_tied_head(const Model& model, std::set<std::string>& used) const {
  for (const Parameter& parameter : model.parameters().all()) {
    if (!parameter.tied_to) continue;
    const SafetensorsFolder::Tensor* const copy = find(place_of(family_, model_.config, parameter).tensor, used);
    if (!copy) continue;
    expect_same(*copy, *found_.at(parameter.tied_to->name).tensor,
                "config.json says that they are one (tie_word_embeddings)");
  }
}

void HfDirectory::expect_same(const SafetensorsFolder::Tensor& copy, const SafetensorsFolder::Tensor& original,
                              const char* why) const {
  const std::uint64_t bytes = original.entry.end - original.entry.begin;
  if (copy.entry.type != original.entry.type || copy.entry.shape != original.entry.shape ||
      std::memcmp(copy.data(), original.data(), bytes) != 0)
    throw Error(ErrorCode::kBadInput, where(), ": tensor ", copy.entry.name, " is not the same as ",
                original.entry.name, ", and ", why);
}

const HfDirectory::Weight& HfDirectory::weight(const Parameter& parameter) const {
  const auto found = found_.find(parameter.name);
  if (found == found_.end()) throw Error(ErrorCode::kBadInput, where(), " has no weight ", parameter.name);
  if (found->second.shape != parameter.shape)
    throw Error(ErrorCode::kBadInput, where(), ": ", parameter.name, " has the shape ",
                extents_text(found->second.shape), ", and not ", extents_text(parameter.shape));
  return found->second;
}

StoredType HfDirectory::type(const Parameter& parameter) const { return weight(parameter).tensor->entry.type; }

const void* HfDirectory::mapped(const Parameter& parameter) const {
  const Weight& one = weight(parameter);
  if (!one.place.is_whole()) return nullptr;
  const char* const data = one.tensor->data();
  return reinterpret_cast<std::uintptr_t>(data) % bytes_per_element(one.tensor->entry.type) == 0 ? data : nullptr;
}

void HfDirectory::read_rows(const Parameter& parameter, std::int64_t first, std::int64_t count, void* out) const {
  const auto& [_, place, tensor] = weight(parameter);
  const std::size_t item = bytes_per_element(tensor->entry.type);
  take_rows(place, parameter, first, count, item, tensor->data(), out);
  // Models are larger than memory: what was copied does not stay mapped in. Of a tensor that others share with this
  // parameter, once its last row was read.
  const auto bytes = [item](std::int64_t elements) { return static_cast<std::uint64_t>(elements) * item; };
  if (place.is_whole() && parameter.elements() > 0) {
    const std::int64_t row = parameter.elements() / parameter.shape[0];
    tensor->file->done_with(tensor->entry, bytes(first * row), bytes(count * row));
  } else if (first + count == parameter.shape[0]) {
    tensor->file->done_with(tensor->entry, 0, tensor->entry.end - tensor->entry.begin);
  }
}

std::optional<std::string> HfDirectory::companion(const std::string& name) const {
  const fs::path file = path_ / (name == kHfConfigFile ? kConfigFile : name.c_str());
  if (name == kBaseFile || !fs::exists(file)) return std::nullopt;
  return read_file(file, kMostCompanionBytes);
}

}  // namespace trireme::models
