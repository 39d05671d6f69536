#include "serve/api/completion_request.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/base/strict_json.h"
#include "core/base/text.h"
#include "serve/api/request_body.h"

namespace trireme::serve {
namespace {

using nlohmann::json;

constexpr std::int64_t kMostTokens = std::int64_t{1} << 24;
constexpr std::int64_t kMostChoices = 128;
constexpr std::size_t kMostStops = 64;

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

CompletionRequest CompletionRequest::parse(const json& object, std::uint64_t default_seed) {
  const RequestBody body(object);
  body.expect_known({"model",
                     "prompt",
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
                     "echo",
                     "stream",
                     "stream_options",
                     "logprobs",
                     "suffix",
                     "presence_penalty",
                     "frequency_penalty",
                     "repetition_penalty",
                     "logit_bias",
                     "user",
                     "metadata",
                     "service_tier"});
  body.expect("stream", false);
  body.expect("logprobs", nullptr);
  body.expect("suffix", nullptr);
  body.expect("logit_bias", json::object());
  for (const char* key : {"presence_penalty", "frequency_penalty"}) body.expect(key, 0);
  body.expect("repetition_penalty", 1);
  CompletionRequest request;
  request.model = body.text("model");
  request.prompts = body.prompts("prompt");
  request.n = body.integer("n", 1, 1, kMostChoices);
  body.expect("best_of", request.n);
  GenerationRequest& generation = request.generation;
  generation.max_tokens = body.integer("max_tokens", 16, 1, kMostTokens);
  generation.sampling.temperature = body.number("temperature", 1, 0, 100);
  generation.sampling.top_p = body.number("top_p", 1, 0, 1);
  generation.sampling.top_k = body.integer("top_k", 0, -1, kMostTokens);  // vLLM's -1: all
  generation.sampling.top_k = std::max<std::int64_t>(0, generation.sampling.top_k);
  const std::int64_t seed = body.integer("seed", -1, INT64_MIN, INT64_MAX);
  generation.sampling.seed = body.find("seed") ? static_cast<std::uint64_t>(seed) : default_seed;
  generation.stop_texts = stop_texts(body);
  if (const json* const ids = body.find("stop_token_ids")) {
    if (!ids->is_array() || ids->size() > kMostStops)
      throw RequestError("stop_token_ids", "stop_token_ids must be a list of at most ", kMostStops, " ids, got ",
                         json_excerpt(*ids));
    generation.stop_ids = token_ids(*ids, "stop_token_ids");
  }
  generation.ignore_end = body.flag("ignore_eos");
  request.echo = body.flag("echo");
  request.return_token_ids = body.flag("return_token_ids");
  return request;
}

}  // namespace trireme::serve
