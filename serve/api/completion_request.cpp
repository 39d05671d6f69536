#include "serve/api/completion_request.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/base/strict_json.h"
#include "core/base/text.h"

namespace trireme::serve {
namespace {

using nlohmann::json;

constexpr std::int64_t kMostTokens = std::int64_t{1} << 24;
constexpr std::int64_t kMostChoices = 128;
constexpr std::int64_t kMostPrompts = 4096;
constexpr std::size_t kMostStops = 64;

class Body {
 public:
  explicit Body(const json& body) : body_(body) {
    if (!body.is_object()) throw RequestError("", "the body must be an object, got ", json_excerpt(body));
  }

  // Null and absent are the same.
  const json* find(const char* key) const {
    const auto found = body_.find(key);
    return found == body_.end() || found->is_null() ? nullptr : &*found;
  }

  std::int64_t integer(const char* key, std::int64_t otherwise, std::int64_t least, std::int64_t most) const {
    const json* const value = find(key);
    if (!value) return otherwise;
    // A number of 64 bits without a sign is larger than any that is allowed.
    if (!value->is_number_integer() || (value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX) ||
        value->get<std::int64_t>() < least || value->get<std::int64_t>() > most)
      throw RequestError(key, key, " must be a whole number from ", least, " to ", most, ", got ",
                         json_excerpt(*value));
    return value->get<std::int64_t>();
  }

  double number(const char* key, double otherwise, double least, double most) const {
    const json* const value = find(key);
    if (!value) return otherwise;
    if (!value->is_number() || !(value->get<double>() >= least && value->get<double>() <= most))
      throw RequestError(key, key, " must be a number from ", to_text(least), " to ", to_text(most), ", got ",
                         json_excerpt(*value));
    return value->get<double>();
  }

  bool flag(const char* key) const {
    const json* const value = find(key);
    if (!value) return false;
    if (!value->is_boolean()) throw RequestError(key, key, " must be true or false, got ", json_excerpt(*value));
    return value->get<bool>();
  }

  std::string text(const char* key) const {
    const json* const value = find(key);
    if (!value) return "";
    if (!value->is_string()) throw RequestError(key, key, " must be a text, got ", json_excerpt(*value));
    return value->get<std::string>();
  }

  // Fields that say what is done anyway; any other value is refused.
  void expect(const char* key, const json& honoured) const {
    const json* const value = find(key);
    if (value && *value != honoured)
      throw RequestError(key, key, " ", json_excerpt(*value),
                         " is not supported yet; allowed: ", json_excerpt(honoured));
  }

  void expect_known(std::initializer_list<std::string_view> known) const {
    for (const auto& [key, value] : body_.items())
      if (std::ranges::find(known, key) == known.end() && !value.is_null())
        throw RequestError(key, "the field ", json_excerpt(json(key)), " is not known");
  }

 private:
  const json& body_;
};

std::vector<std::int64_t> ids_of(const json& list, const char* key) {
  std::vector<std::int64_t> ids;
  for (const json& id : list) {
    if (!id.is_number_integer() || (id.is_number_unsigned() && id.get<std::uint64_t>() > INT64_MAX))
      throw RequestError(key, key, " must hold whole numbers, got ", json_excerpt(id));
    ids.push_back(id.get<std::int64_t>());
  }
  return ids;
}

// A text, a list of texts, a list of ids, or a list of such lists.
std::vector<Prompt> prompts_of(const Body& body) {
  constexpr const char* kKey = "prompt";
  const json* const prompt = body.find(kKey);
  if (!prompt) throw RequestError(kKey, "prompt is missing: a text, token ids, or a list of either");
  if (prompt->is_string()) return {prompt->get<std::string>()};
  if (!prompt->is_array() || prompt->empty())
    throw RequestError(kKey, "prompt must be a text, token ids, or a list of either, got ", json_excerpt(*prompt));
  if (prompt->front().is_number()) return {ids_of(*prompt, kKey)};
  if (prompt->size() > kMostPrompts)
    throw RequestError(kKey, "prompt has ", prompt->size(), " prompts; at most ", kMostPrompts, " are allowed");
  std::vector<Prompt> prompts;
  for (const json& one : *prompt) {
    if (one.is_string() && prompt->front().is_string())
      prompts.emplace_back(one.get<std::string>());
    else if (one.is_array() && prompt->front().is_array())
      prompts.emplace_back(ids_of(one, kKey));
    else
      throw RequestError(kKey, "prompt must be a list of texts or of lists of token ids, got ", json_excerpt(*prompt));
  }
  return prompts;
}

std::vector<std::string> stop_texts(const Body& body) {
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
  const Body body(object);
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
  request.prompts = prompts_of(body);
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
    generation.stop_ids = ids_of(*ids, "stop_token_ids");
  }
  generation.ignore_end = body.flag("ignore_eos");
  request.echo = body.flag("echo");
  request.return_token_ids = body.flag("return_token_ids");
  return request;
}

}  // namespace trireme::serve
