#include "train/loop/samples.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"
#include "models/generate/generate.h"

namespace trireme::train {

using nlohmann::json;

Samples::Samples(const EvaluationConfig& config, std::uint64_t seed, std::int64_t context, data::Tokenizer tokenizer)
    : tokens_(config.sample_tokens),
      temperature_(config.sample_temperature),
      seed_(seed),
      tokenizer_(std::move(tokenizer)),
      prompts_(config.prompts) {
  if (tokens_ == 0) prompts_.clear();
  if (tokens_ > 0 && prompts_.empty()) prompts_.emplace_back();
  for (const std::string& prompt : prompts_)
    if (const std::size_t given = tokenizer_.encode_prompt(prompt).size(); given >= static_cast<std::size_t>(context))
      throw Error(ErrorCode::kUsage, "eval.prompts: a prompt has ", given, " tokens; model.context of ", context,
                  " leaves no room to go on");
}

std::vector<Sample> Samples::draw(Stages& stages, const std::function<bool()>& stop) const {
  if (prompts_.empty()) return {};
  Communicator& world = stages.world();
  const auto ranks = static_cast<std::size_t>(stages.shape().size(Axis::kData));
  json mine = json::array();
  for (auto i = static_cast<std::size_t>(stages.shape().coordinate(Axis::kData, world.rank())); i < prompts_.size();
       i += ranks) {
    const Sample s = sample(stages, i, stop);
    mine.push_back({s.text, s.tokens, s.reason});
  }
  stages.end_scores();
  std::vector<json> all;
  for (const std::string& text : world.all_gather_text(mine.dump())) all.push_back(json::parse(text));
  std::vector<Sample> samples;
  for (std::size_t i = 0; i < prompts_.size(); ++i) {
    // All ranks of a pipeline have written the same.
    const int writer = stages.shape().neighbour(0, Axis::kData, static_cast<int>(i % ranks));
    const json& theirs = all[static_cast<std::size_t>(writer)][i / ranks];
    samples.push_back({prompts_[i], theirs[0], theirs[1], theirs[2]});
  }
  return samples;
}

Sample Samples::sample(Stages& stages, std::size_t prompt, const std::function<bool()>& stop) const {
  const std::vector<data::TokenId> ids = tokenizer_.encode_prompt(prompts_[prompt]);
  const std::int64_t context = stages.whole().config().context;
  const std::int64_t most = std::min(context, static_cast<std::int64_t>(ids.size()) + std::min(tokens_, context));
  const auto stopped = std::make_shared<bool>(false);
  std::string text;
  data::Tokenizer::DecodeStream stream(tokenizer_);
  stream.prime(ids);
  std::vector<std::int64_t> stops;
  if (const auto end = tokenizer_.end_of_text()) stops.push_back(*end);
  const models::Continuation done =
      models::generate(stages.next_scores(most, stop, stopped), context, {ids.begin(), ids.end()}, tokens_,
                       {.temperature = temperature_, .seed = seed_ + static_cast<std::uint64_t>(prompt)}, stops,
                       [&](std::int64_t token) {
                         stages.world().check();
                         text += stream.push(static_cast<data::TokenId>(token));
                         return !*stopped;
                       });
  text += stream.finish();
  return {prompts_[prompt], text, done.tokens, done.reason};
}

}  // namespace trireme::train
