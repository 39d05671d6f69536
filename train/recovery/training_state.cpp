#include "train/recovery/training_state.h"

#include <ATen/Version.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "core/base/build_info.h"
#include "core/base/error.h"
#include "core/config/json.h"
#include "train/recovery/tensor_gathering.h"

namespace trireme::train {
namespace {

using nlohmann::json;

json optional_number(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

std::size_t bytes_of(const models::TensorSlice& slice) {
  std::size_t bytes = models::bytes_per_element(slice.type);
  for (const std::int64_t extent : slice.size) bytes *= static_cast<std::size_t>(extent);
  return bytes;
}

// The rows of a tensor in which a part of it lies, and of these the part: what a rank keeps begins and ends anywhere.
void read_part(const models::Checkpoint& checkpoint, const std::string& name, const FlatParameters::Entry& entry,
               const Overlap& part, std::int64_t item, std::byte* out) {
  if (part.count == entry.count) return checkpoint.read(name, out);
  std::vector<std::int64_t> offset(entry.parameter->shape.size(), 0), size = entry.parameter->shape;
  const std::int64_t one = entry.count / size[0];
  offset[0] = part.in_entry / one;
  size[0] = (part.in_entry + part.count + one - 1) / one - offset[0];
  const std::int64_t before = part.in_entry - offset[0] * one;
  if (before == 0 && part.count == size[0] * one) return checkpoint.read(name, offset, size, out);
  // Not of tensors' memory, which would be kept.
  const auto rows = std::make_unique_for_overwrite<std::byte[]>(static_cast<std::size_t>(size[0] * one * item));
  checkpoint.read(name, offset, size, rows.get());
  std::copy_n(rows.get() + before * item, part.count * item, out);
}

std::optional<double> number_or_none(const json& object, const char* key) {
  const json& value = object.at(key);
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

}  // namespace

std::string to_json(const TrainingState& state, const TrainConfig& config) {
  TrainConfig copy = config;
  json object{{"step", state.step},
              {"tokens", state.tokens},
              {"samples-hash", state.samples_hash},
              {"loss", state.loss},
              {"eval-loss", optional_number(state.eval_loss)},
              {"eval-bits-per-byte", optional_number(state.eval_bits_per_byte)},
              {"eval-step", state.eval_step ? json(*state.eval_step) : json(nullptr)},
              {"tokens-per-second", state.tokens_per_second},
              {"seconds-to-first-step", state.seconds_to_first_step},
              {"peak-memory-bytes", state.peak_memory_bytes},
              {"planned-steps", config.steps},
              {"corpus-hash", state.corpus_hash},
              {"fingerprint", state.fingerprint},
              {"config", trireme::to_json(fields_of(copy))}};
  if (state.unfinished) object["unfinished"] = to_json(*state.unfinished);
  return object.dump(-1, ' ', false, json::error_handler_t::replace);  // paths may hold any bytes
}

TrainingState state_from_json(const std::string& text, const std::string& origin) {
  try {
    const json object = json::parse(text);
    TrainingState state;
    object.at("step").get_to(state.step);
    object.at("tokens").get_to(state.tokens);
    object.at("samples-hash").get_to(state.samples_hash);
    object.at("loss").get_to(state.loss);
    state.eval_loss = number_or_none(object, "eval-loss");
    state.eval_bits_per_byte = number_or_none(object, "eval-bits-per-byte");
    object.at("tokens-per-second").get_to(state.tokens_per_second);
    object.at("seconds-to-first-step").get_to(state.seconds_to_first_step);
    object.at("peak-memory-bytes").get_to(state.peak_memory_bytes);
    if (const auto found = object.find("eval-step"); found != object.end() && !found->is_null())
      state.eval_step = found->get<std::int64_t>();
    if (const auto found = object.find("unfinished"); found != object.end())
      state.unfinished = record_from_json(*found);
    if (const auto found = object.find("planned-steps"); found != object.end())
      state.planned_steps = found->get<std::int64_t>();
    object.at("corpus-hash").get_to(state.corpus_hash);
    object.at("fingerprint").get_to(state.fingerprint);
    return state;
  } catch (const json::exception& error) {
    throw Error(ErrorCode::kCorrupt, "the training state of ", origin, " cannot be read: ", error.what());
  }
}

std::string machine_fingerprint(std::int64_t threads) {
  return "threads=" + std::to_string(threads) + " cpu=" + at::get_cpu_capability() + " trireme=" + version_text() +
         " " + at::get_mkl_version() + " " + at::get_mkldnn_version();
}

std::string save_checkpoint(const Mesh& mesh, const std::filesystem::path& run, const TrainingState& state,
                            const TrainConfig& config, const std::string& model_json, const std::string& tokenizer_json,
                            FlatParameters& parameters, AdamW& optimizer) {
  Communicator& world = mesh.world();
  TensorGathering gathering(mesh, parameters, state_rows(parameters, optimizer));
  models::CheckpointContent content;
  content.slices = gathering.slices();
  content.model_json = model_json;
  content.training_json = to_json(state, config);
  content.tokenizer_json = tokenizer_json;
  // The slices of a tensor come in order, one tensor behind the other.
  models::WeightsHash::Tensor hash;
  std::string parts, weights_hash;
  content.data = [&](std::size_t i) {
    const models::TensorSlice& slice = content.slices[i];
    const void* const data = gathering.data(i);
    if (!slice.name.starts_with(models::kWeightsPrefix)) return data;
    hash.update(data, bytes_of(slice));
    if (i + 1 < content.slices.size() && content.slices[i + 1].name == slice.name) return data;
    parts += slice.name + " " + std::exchange(hash, {}).part(slice.name, slice.type, slice.shape) + "\n";
    return data;
  };
  content.weights_hash = [&] {
    models::WeightsHash all;
    for (const std::string& text : world.all_gather_text(parts)) {
      std::istringstream lines(text);
      for (std::string name, part; lines >> name >> part;) all.add(name, part);
    }
    return weights_hash = all.hex();
  };
  try {
    models::write_checkpoint(world, models::checkpoint_path(run, state.step), content);
  } catch (const Error& error) {
    // All ranks are told of it: those that still send to the one that failed are not to wait for ever.
    if (error.code() != ErrorCode::kPeerLost) gathering.finish();
    throw;
  }
  gathering.finish();
  return weights_hash;
}

std::int64_t checkpoint_bytes(FlatParameters& parameters, AdamW& optimizer) {
  return static_cast<std::int64_t>(state_rows(parameters, optimizer).size()) * parameters.size() *
         static_cast<std::int64_t>(at::elementSize(parameters.master_type()));
}

void load_tensors(const models::Checkpoint& checkpoint, FlatParameters& parameters, AdamW& optimizer) {
  const auto item = static_cast<std::int64_t>(at::elementSize(parameters.master_type()));
  std::size_t expected = 0;
  for (const auto& entry : parameters.entries()) {
    if (entry.tied_begin >= 0) continue;
    for (const StateRow& row : state_rows(parameters, optimizer)) {
      const std::string name = row.prefix + entry.parameter->name;
      for (const auto& tensor : checkpoint.tensors())
        if (tensor.name == name && (tensor.shape != entry.parameter->shape || tensor.type != stored_type(parameters)))
          throw Error(ErrorCode::kBadInput, checkpoint.directory().string(), " holds another model: tensor ", name,
                      " has another shape or type");
      ++expected;
      for (const Stretch& stretch : parameters.own())
        if (const auto part = overlap(entry, stretch.begin, stretch.count))
          read_part(checkpoint, name, entry, *part, item, row.place(stretch) + part->in_stretch * item);
    }
  }
  if (checkpoint.tensors().size() != expected)
    throw Error(ErrorCode::kBadInput, checkpoint.directory().string(),
                " holds another model: ", checkpoint.tensors().size(), " tensors, ", expected, " are due");
}

}  // namespace trireme::train
