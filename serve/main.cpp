#include <ATen/Parallel.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/stop.h"
#include "core/base/strict_json.h"
#include "core/base/text.h"
#include "core/config/command.h"
#include "models/family.h"
#include "models/model_source.h"
#include "serve/batch/batch.h"
#include "serve/engine/text_generator.h"

namespace trireme::serve {
namespace {

struct ServeOptions {
  std::string model;
  std::string step = "newest";
  std::string weights = "current";
  std::string base;
  std::vector<std::string> prompt;
  bool chat = false;
  std::string system;
  std::string batch, out;
  std::string type = "stored", pooling = "auto";
  std::int64_t max_tokens = 0;
  double temperature = -1;
  std::int64_t top_k = -1;
  double top_p = -1;
  std::int64_t seed = 0;
  std::int64_t threads = 1;
  bool json = false;

  static constexpr auto fields() {
    using C = ServeOptions;
    return std::tuple{
        Field{"model", &C::model, "a run, a checkpoint, a Hugging Face directory, or one of adapters", kRequired},
        Field{"step", &C::step, "of a run: newest, best (lowest validation loss) or a step"},
        Field{"weights", &C::weights,
              "current: those that training goes on from; ema: their average, for a run with optimizer.ema-decay",
              OneOf("current", "ema")},
        Field{"base", &C::base, "of adapters: the model that they change; empty: where they say that it is"},
        Field{"prompt", &C::prompt, "text to go on from; one answer on stdout, no server", kOneEach},
        Field{"chat", &C::chat,
              "the prompt is a message, which the model's chat template turns into the text to go on from"},
        Field{"system", &C::system, "of --chat: a system message before it"},
        Field{"batch", &C::batch, "file of requests to answer, OpenAI's batch lines; no server"},
        Field{"out", &C::out, "file for the answers of --batch"},
        Field{"type", &C::type, "of the weights in memory; stored: as they are",
              OneOf("stored", "float32", "bfloat16", "float64")},
        Field{"pooling", &C::pooling,
              "of --batch: how embeddings are made of a text's tokens: their mean, the first or last one, or own: what "
              "the model makes of them; auto: as 1_Pooling in the directory says, else mean for encoders and last for "
              "decoders",
              OneOf("auto", "mean", "first", "last", "own")},
        Field{"max-tokens", &C::max_tokens,
              "tokens of an answer; 0: what generation_config.json of the model says, else 64", Range(0, 1 << 24)},
        Field{"temperature", &C::temperature,
              "divides the scores: lower is surer; 0: always the likeliest token; -1: as the model says, else 1",
              Range(-1, 100)},
        Field{"top-k", &C::top_k, "draw from the k likeliest tokens; 0: from all; -1: as the model says, else from all",
              Range(-1, 1 << 24)},
        Field{"top-p", &C::top_p,
              "draw from the likeliest tokens that together reach this probability; -1: as the model says, else 1",
              Range(-1, 1)},
        Field{"seed", &C::seed, "of the draws; the same seed gives the same answer", Range(0, 9e15)},
        Field{"threads", &C::threads, "for computing", Range(1, 4096)},
        Field{"json", &C::json, "the answer as one JSON object with its counts, instead of streamed text"}};
  }
};

// As a directory of sentence-transformers says it, where it is one.
std::optional<Pooling> pooling_of(const models::ModelSource& source) {
  constexpr const char* kFile = "1_Pooling/config.json";
  const auto text = source.companion(kFile);
  if (!text) return std::nullopt;
  const nlohmann::json modes = parse_object(*text, source.where() + "/" + kFile, ErrorCode::kBadInput);
  constexpr std::string_view kPrefix = "pooling_mode_";
  std::vector<std::string> chosen;
  for (const auto& [key, value] : modes.items())
    if (key.starts_with(kPrefix) && value == true) chosen.push_back(key.substr(kPrefix.size()));
  if (chosen == std::vector<std::string>{"cls_token"}) return Pooling::kFirst;
  if (chosen == std::vector<std::string>{"mean_tokens"}) return Pooling::kMean;
  if (chosen == std::vector<std::string>{"lasttoken"}) return Pooling::kLast;
  throw Error(ErrorCode::kUsage, source.where(), "/", kFile, " asks for ",
              chosen.empty() ? "no mode" : join(chosen, ", "),
              "; known are cls_token, mean_tokens or lasttoken alone: choose --pooling yourself");
}

Pooling pooling_of(const std::string& name, const models::ModelConfig& model, const models::ModelSource& source) {
  if (name == "auto")
    if (const auto said = pooling_of(source)) return *said;
  if (name == "auto") return models::kind_of(model) == models::Family::Kind::kDecoder ? Pooling::kLast : Pooling::kMean;
  return name == "mean"    ? Pooling::kMean
         : name == "first" ? Pooling::kFirst
         : name == "last"  ? Pooling::kLast
                           : Pooling::kOwn;
}

int batch(TextGenerator& generator, const models::ModelSource& source, const ServeOptions& options) {
  const BatchResult result = answer_batch(
      generator, {options.batch, options.out, pooling_of(options.pooling, generator.model().config(), source),
                  static_cast<std::uint64_t>(options.seed)});
  if (options.json)
    std::cout << nlohmann::json{{"complete", result.complete},
                                {"answered", result.answered},
                                {"failed", result.failed},
                                {"prompt_tokens", result.prompt_tokens},
                                {"completion_tokens", result.tokens},
                                {"seconds", result.seconds},
                                {"weights_hash", generator.weights_hash()}}
                     .dump()
              << std::endl;
  else
    std::cout << options.out << ": " << result.answered << " answered, " << result.failed << " refused or failed, "
              << result.tokens << " tokens in " << duration_text(result.seconds)
              << (result.complete ? "" : "; interrupted: the same call goes on") << std::endl;
  return result.complete ? kExitDone : kExitResumable;
}

/// What is left to the model is as it wants it.
GenerationRequest request_of(const ServeOptions& options, const models::GenerationDefaults& defaults) {
  GenerationRequest request{.max_tokens = defaults.max_tokens.value_or(64), .sampling = defaults.sampling};
  if (options.max_tokens > 0) request.max_tokens = options.max_tokens;
  if (options.temperature >= 0) request.sampling.temperature = options.temperature;
  if (options.top_k >= 0) request.sampling.top_k = options.top_k;
  if (options.top_p >= 0) request.sampling.top_p = options.top_p;
  request.sampling.seed = static_cast<std::uint64_t>(options.seed);
  return request;
}

Prompt prompt_of(const ServeOptions& options, TextGenerator& generator) {
  if (!options.chat) return options.prompt[0];
  data::ChatTemplate::Conversation conversation{.add_generation_prompt = true};
  if (!options.system.empty()) conversation.messages.push_back({{"role", "system"}, {"content", options.system}});
  conversation.messages.push_back({{"role", "user"}, {"content", options.prompt[0]}});
  return generator.chat_prompt(conversation);
}

int serve(const ServeOptions& options) {
  if (options.prompt.empty() && options.batch.empty())
    throw Error(ErrorCode::kUsage, "--prompt or --batch is required: the HTTP server is not available yet");
  if (!options.prompt.empty() && !options.batch.empty())
    throw Error(ErrorCode::kUsage, "--prompt and --batch are given; one is allowed");
  if (options.batch.empty() != options.out.empty())
    throw Error(ErrorCode::kUsage, "--batch and --out go together: a file of requests, and one for the answers");
  if (options.prompt.size() > 1)
    throw Error(ErrorCode::kUsage, "--prompt is given ", options.prompt.size(), " times; one is allowed");
  const ServeOptions plain;
  if (!options.batch.empty() && (options.max_tokens != plain.max_tokens || options.temperature != plain.temperature ||
                                 options.top_k != plain.top_k || options.top_p != plain.top_p))
    throw Error(ErrorCode::kUsage,
                "--max-tokens, --temperature, --top-k and --top-p are of --prompt; requests of --batch say their own");
  if (options.batch.empty() && options.pooling != plain.pooling)
    throw Error(ErrorCode::kUsage, "--pooling is of --batch, got ", options.pooling, " without it");
  if (options.prompt.empty() && options.chat)
    throw Error(ErrorCode::kUsage, "--chat is of --prompt; requests of --batch say so by their url");
  if (!options.chat && !options.system.empty()) throw Error(ErrorCode::kUsage, "--system goes with --chat");
  install_stop_signals();
  at::set_num_threads(static_cast<int>(options.threads));
  const std::shared_ptr<const models::ModelSource> source = models::open_source(
      options.model,
      {options.step, options.weights == "ema" ? models::Weights::kAverage : models::Weights::kCurrent, options.base});
  TextGenerator generator(source, options.type == "stored"
                                      ? std::nullopt
                                      : std::optional(models::scalar_type(*models::stored_type(options.type))));
  if (const auto& rest = generator.defaults().not_honoured; !rest.empty())
    log_warning(options.model + ": generation_config.json asks for " + join(rest, ", ") + ", which is not done here");
  if (!options.batch.empty()) return batch(generator, *source, options);
  std::string text;
  GenerationRequest request = request_of(options, generator.defaults());
  request.prompt = prompt_of(options, generator);
  const Generation outcome = generator.generate(request, [&](std::string_view piece) {
    if (options.json)
      text += piece;
    else if (std::fwrite(piece.data(), 1, piece.size(), stdout) != piece.size() || std::fflush(stdout) != 0)
      throw Error(ErrorCode::kIo, "cannot write to stdout");
    return !stop_requested();
  });
  if (options.json)
    std::cout << nlohmann::json{{"text", text},
                                {"prompt_tokens", outcome.prompt_tokens},
                                {"completion_tokens", outcome.ids.size()},
                                {"finish_reason", outcome.reason},
                                {"weights_hash", generator.weights_hash()}}
                     .dump()
              << std::endl;
  else
    std::printf("\n");
  return outcome.reason == "interrupted" ? kExitResumable : kExitDone;
}

}  // namespace
}  // namespace trireme::serve

int main(int argc, char** argv) {
  using namespace trireme;
  serve::ServeOptions options;
  return run_program({"trireme-serve",
                      "answers from a trained model",
                      {{.name = "",
                        .summary = "Continues texts with a model that trireme-train made, also while it still trains, "
                                   "or with one in a Hugging "
                                   "Face directory.",
                        .options = fields_of(options),
                        .positional = {"model"},
                        .run = [&](const Assignments&) { return serve::serve(options); }}},
                      "Examples:\n  trireme-serve runs/first --prompt \"In the beginning\" --temperature 0.7\n"
                      "  trireme-serve Qwen2.5-0.5B-Instruct --chat --prompt \"Why is the sky blue?\"\n"
                      "  trireme-serve gpt2 --batch requests.jsonl --out answers.jsonl"},
                     argc, argv);
}
