#include "models/hugging_face/hf_export.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/base/durable.h"
#include "core/base/error.h"
#include "core/base/stop.h"
#include "models/checkpoint/manifest.h"
#include "models/family.h"
#include "models/hugging_face/hf_config.h"
#include "models/hugging_face/hf_directory.h"
#include "models/load.h"
#include "models/registry.h"
#include "models/safetensors/safetensors_folder.h"
#include "models/safetensors/safetensors_writer.h"

namespace trireme::models {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kObject = "export";

// One of their tensors, and the parameters that it is made of.
struct Tensor {
  SafetensorsEntry entry;
  std::vector<std::pair<const Parameter*, HfPlace>> parts;
};

// In the order of the forward pass.
std::vector<Tensor> tensors_of(const ModelSource& from, const Model& model, std::optional<StoredType> type) {
  const Family& family = find_family(model.config().family);
  std::vector<Tensor> tensors;
  std::map<std::string, std::size_t> known;
  for (const Parameter& parameter : model.parameters().all()) {
    if (parameter.tied_to) continue;
    HfPlace place = place_of(family, model.config(), parameter);
    const StoredType stored = from.type(parameter);
    const auto [at, is_new] = known.try_emplace(place.tensor, tensors.size());
    if (is_new) tensors.push_back({{place.tensor, type.value_or(stored), place.shape}, {}});
    Tensor& tensor = tensors[at->second];
    if (!type && tensor.entry.type != stored)
      throw Error(ErrorCode::kBadInput, from.where(), ": ", parameter.name, " is ", type_name(stored), ", and ",
                  tensor.parts.front().first->name, ", which lies in one tensor with it there, is ",
                  type_name(tensor.entry.type), "; say which type all shall have (--type)");
    tensor.parts.emplace_back(&parameter, std::move(place));
  }
  return tensors;
}

// Reads rows of a parameter in the type that they are written in.
class RowReader {
 public:
  explicit RowReader(const ModelSource& from) : from_(from) {}

  // visit(first, count, bytes): all rows, some at a time.
  template <class Visit>
  void for_rows(const Parameter& parameter, StoredType type, Visit visit) {
    const StoredType stored = from_.type(parameter);
    for_row_pieces(parameter, stored, 0, parameter.shape[0], [&](std::int64_t first, std::int64_t count) {
      if (stop_requested()) throw Error(ErrorCode::kInterrupted, "interrupted: nothing was written");
      at::Tensor values = room(count * (parameter.elements() / parameter.shape[0]), stored);
      from_.read_rows(parameter, first, count, values.mutable_data_ptr());
      visit(first, count, type == stored ? values : converted(parameter, values, type));
    });
  }

 private:
  at::Tensor converted(const Parameter& parameter, const at::Tensor& values, StoredType type) const {
    at::Tensor result = values.to(scalar_type(type));
    if ((result.isinf() & ~values.isinf()).any().item<bool>())
      throw Error(ErrorCode::kBadInput, from_.where(), ": ", parameter.name, " has numbers that are too large for ",
                  type_name(type), "; choose a wider type");
    return result;
  }

  // One piece of memory for all: fresh memory for each would have to be cleared by the system.
  at::Tensor room(std::int64_t elements, StoredType type) {
    const auto bytes = elements * static_cast<std::int64_t>(bytes_per_element(type));
    if (!memory_.defined() || memory_.numel() < bytes) memory_ = at::empty({bytes}, at::kByte);
    return memory_.narrow(0, 0, bytes).view(scalar_type(type));
  }

  const ModelSource& from_;
  at::Tensor memory_;
};

void write_tensor(RowReader& reader, const Tensor& tensor, SafetensorsWriter& writer) {
  if (tensor.parts.size() == 1 && tensor.parts[0].second.is_whole()) {
    reader.for_rows(*tensor.parts[0].first, tensor.entry.type,
                    [&](std::int64_t, std::int64_t, const at::Tensor& values) {
                      writer.write(values.const_data_ptr(), values.nbytes());
                    });
    return;
  }
  const std::size_t item = bytes_per_element(tensor.entry.type);
  at::Tensor whole = at::empty({*volume(tensor.entry.shape)}, scalar_type(tensor.entry.type));
  for (const auto& [parameter, place] : tensor.parts)
    reader.for_rows(
        *parameter, tensor.entry.type, [&](std::int64_t first, std::int64_t count, const at::Tensor& values) {
          put_rows(place, *parameter, first, count, item, values.const_data_ptr(), whole.mutable_data_ptr());
        });
  writer.write(whole.const_data_ptr(), whole.nbytes());
}

// The tensors of each file.
std::vector<std::vector<Tensor>> sharded(std::vector<Tensor> tensors, std::uint64_t most) {
  std::vector<std::vector<Tensor>> shards(1);
  std::uint64_t bytes = 0;
  for (Tensor& tensor : tensors) {
    const std::uint64_t size =
        static_cast<std::uint64_t>(*volume(tensor.entry.shape)) * bytes_per_element(tensor.entry.type);
    if (bytes > 0 && size > most - std::min(bytes, most)) shards.emplace_back(), bytes = 0;
    bytes += size;
    shards.back().push_back(std::move(tensor));
  }
  return shards;
}

HfExported write_weights(const ModelSource& from, const fs::path& folder, std::vector<Tensor> tensors,
                         std::uint64_t shard_bytes) {
  HfExported exported;
  RowReader reader(from);
  std::map<std::string, std::string> places;
  const std::vector<std::vector<Tensor>> shards = sharded(std::move(tensors), shard_bytes);
  for (std::size_t i = 0; i < shards.size(); ++i) {
    char name[64] = "model.safetensors";
    if (shards.size() > 1) std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", i + 1, shards.size());
    std::map<std::string, const Tensor*> by_name;
    std::vector<SafetensorsEntry> entries;
    for (const Tensor& tensor : shards[i]) {
      entries.push_back(tensor.entry);
      by_name[tensor.entry.name] = &tensor;
      places[tensor.entry.name] = name;
    }
    SafetensorsWriter writer(folder / name, std::move(entries), {{"format", "pt"}});
    for (const SafetensorsEntry& entry : writer.entries()) {
      write_tensor(reader, *by_name.at(entry.name), writer);
      exported.bytes += entry.end - entry.begin;
    }
    writer.finish();
    ++exported.files;
  }
  if (shards.size() > 1)
    write_new_file(folder / "model.safetensors.index.json", safetensors_index_text(places, exported.bytes), kObject);
  return exported;
}

Json parsed(const std::string& text) { return Json::parse(text, nullptr, /*allow_exceptions=*/false); }

// Our tokenizers' token that ends a document.
std::optional<std::pair<std::string, std::int64_t>> end_of_text(const std::string& tokenizer_json) {
  const Json tokenizer = parsed(tokenizer_json);
  if (!tokenizer.is_object() || !tokenizer.contains("added_tokens")) return std::nullopt;
  for (const char* name : {"<|endoftext|>", "<|end_of_text|>", "</s>"})
    for (const Json& token : tokenizer["added_tokens"])
      if (token.is_object() && token.value("content", "") == name && token.contains("id"))
        return std::pair(std::string(name), token["id"].get<std::int64_t>());
  return std::nullopt;
}

}  // namespace

void write_tokenizer_texts(const ModelSource& from, const fs::path& folder, std::int64_t context) {
  const auto tokenizer = from.companion(kTokenizerFile);
  if (tokenizer) write_new_file(folder / kTokenizerFile, *tokenizer, kObject);
  const std::map<std::string, std::string> companions = companions_of(from);
  for (const auto& [name, text] : companions)
    if (name != kHfConfigFile && name != kBaseFile) write_new_file(folder / name, text, kObject);
  if (!tokenizer || companions.contains("tokenizer_config.json")) return;
  // Else their libraries would choose a class of tokenizer by the family, and another text would come of it.
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"clean_up_tokenization_spaces", false},
                 {"model_max_length", context}};
  if (const auto end = end_of_text(*tokenizer)) config["eos_token"] = end->first;
  write_new_file(folder / "tokenizer_config.json", config.dump(2) + "\n", kObject);
}

std::string hf_config_text(const ModelSource& from, StoredType type, const std::string& original) {
  const auto model = model_from_json(from.model_json(), from.where());
  const Family& family = find_family(model->config().family);
  HfConfigWriter writer;
  writer.set("architectures", Json::array({architecture_of(family, model->config().head).name}));
  writer.set("model_type", family.name);
  writer.set("vocab_size", model->vocabulary());
  family.write_config(model->config(), writer);
  if (model->config().classifies()) write_labels(model->config().labels, writer);
  writer.set("torch_dtype", type_name(type));
  Json before = parsed(original);
  if (before.is_object()) {
    const HfModelConfig known = read_hf_config(original, from.where() + ": " + kHfConfigFile);
    if (is_same_model(model_json(known.config, known.vocabulary), from.model_json())) {
      const char* const key = before.contains("dtype") ? "dtype" : "torch_dtype";
      if (!before.contains(key) || before[key] == Json(type_name(type))) return original;
      before[key] = type_name(type);
      return before.dump(2) + "\n";
    }
    const auto keep = [&](const char* key) {
      if (before.contains(key)) writer.set(key, before[key]);
    };
    for (const char* key : kSpecialIdKeys) keep(key);
    keep("initializer_range");
  } else if (const auto end = end_of_text(from.companion(kTokenizerFile).value_or(""))) {
    writer.set("bos_token_id", end->second);  // documents begin behind the end of another
    writer.set("eos_token_id", end->second);
  } else {
    // Theirs would be assumed.
    writer.set("bos_token_id", Json());
    writer.set("eos_token_id", Json());
  }
  const std::int64_t padding = model->config().padding;
  if (model->config().classifies() && padding >= 0)
    writer.set("pad_token_id", padding);  // without one, theirs takes no two texts at once
  else if (!before.is_object())
    writer.set("pad_token_id", Json());
  return writer.object.dump(2) + "\n";
}

HfExported export_to_hugging_face(const ModelSource& from, const fs::path& to, const HfExport& options) {
  const auto model = model_from_json(from.model_json(), from.where());
  std::vector<Tensor> tensors = tensors_of(from, *model, options.type);
  const StoredType type = tensors.at(0).entry.type;
  HfExported exported;
  make_whole_folder(to, kObject, [&](const fs::path& folder) {
    exported = write_weights(from, folder, std::move(tensors), options.shard_bytes);
    write_new_file(folder / "config.json", hf_config_text(from, type, from.companion(kHfConfigFile).value_or("")),
                   kObject);
    write_tokenizer_texts(from, folder, model->config().context);
  });
  return exported;
}

}  // namespace trireme::models
