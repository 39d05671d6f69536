#include "serve/api/generation_fields.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/strict_json.h"
#include "serve/api/request_error.h"

namespace trireme::serve {
namespace {

using nlohmann::json;

constexpr std::int64_t kMostChoices = 128, kMostStops = 64;

std::vector<std::string> stop_texts(const RequestBody& body) {
  const json* const stop = body.find("stop");
  if (!stop) return {};
  if (stop->is_string()) return {stop->get<std::string>()};
  if (!stop->is_array() || stop->size() > kMostStops)
    throw RequestError("stop", "stop must be a text or at most ", kMostStops, " of them, got ", json_excerpt(*stop));
  std::vector<std::string> texts;
  for (const json& text : *stop) {
    if (!text.is_string())
      throw RequestError("stop", "stop must be a text or a list of texts, got ", json_excerpt(*stop));
    texts.push_back(text.get<std::string>());
  }
  return texts;
}

}  // namespace

GenerationFields GenerationFields::parse(const RequestBody& body, std::vector<std::string_view> own,
                                         const GenerationRequest& defaults) {
  own.insert(own.end(), {"model",
                         "max_tokens",
                         "temperature",
                         "top_p",
                         "top_k",
                         "seed",
                         "n",
                         "best_of",
                         "stop",
                         "stop_token_ids",
                         "ignore_eos",
                         "return_token_ids",
                         "stream",
                         "stream_options",
                         "logprobs",
                         "presence_penalty",
                         "frequency_penalty",
                         "repetition_penalty",
                         "logit_bias",
                         "user",
                         "metadata",
                         "service_tier"});
  body.expect_known(own);
  body.expect("stream", false);
  body.expect("logit_bias", json::object());
  for (const char* key : {"presence_penalty", "frequency_penalty"}) body.expect(key, 0);
  body.expect("repetition_penalty", 1);
  GenerationFields fields{.generation = defaults};
  fields.n = body.integer("n", 1, 1, kMostChoices);
  body.expect("best_of", fields.n);
  GenerationRequest& generation = fields.generation;
  generation.max_tokens = body.integer("max_tokens", defaults.max_tokens, 1, kMostTokens);
  models::SamplingOptions& sampling = generation.sampling;
  sampling.temperature = body.number("temperature", sampling.temperature, 0, 100);
  sampling.top_p = body.number("top_p", sampling.top_p, 0, 1);
  sampling.top_k = std::max<std::int64_t>(0, body.integer("top_k", sampling.top_k, -1, kMostTokens));  // vLLM's -1: all
  if (body.find("seed")) sampling.seed = static_cast<std::uint64_t>(body.integer("seed", -1, INT64_MIN, INT64_MAX));
  generation.stop_texts = stop_texts(body);
  if (const json* const ids = body.find("stop_token_ids")) {
    if (!ids->is_array() || ids->size() > kMostStops)
      throw RequestError("stop_token_ids", "stop_token_ids must be a list of at most ", kMostStops, " ids, got ",
                         json_excerpt(*ids));
    generation.stop_ids = token_ids(*ids, "stop_token_ids");
  }
  generation.ignore_end = body.flag("ignore_eos");
  fields.return_token_ids = body.flag("return_token_ids");
  return fields;
}

}  // namespace trireme::serve
