#include "train/recovery/training_state.h"

#include <ATen/Version.h>

#include <nlohmann/json.hpp>

#include "core/base/build_info.h"
#include "core/base/error.h"
#include "core/config/json.h"

namespace trireme::train {
namespace {

using nlohmann::json;

json optional_number(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

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
              {"eval-accuracy", optional_number(state.eval_accuracy)},
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
    if (object.contains("eval-accuracy")) state.eval_accuracy = number_or_none(object, "eval-accuracy");
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

}  // namespace trireme::train
