#include "serve/engine/text_generator.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "models/family.h"
#include "models/generate/generate.h"
#include "models/hugging_face/special_ids.h"
#include "serve/engine/stop_text.h"

namespace trireme::serve {

TextGenerator::TextGenerator(std::shared_ptr<const models::ModelSource> source, std::optional<at::ScalarType> type)
    : source_(std::move(source)), model_(models::load_model(source_, type)) {
  if (const auto json = source_->companion("tokenizer.json")) {
    try {
      tokenizer_ = data::Tokenizer::parse(*json, source_->where() + ": tokenizer.json");
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kBadInput) throw;
      no_tokenizer_ = error.what();
    }
  } else {
    no_tokenizer_ = source_->where() + " has no tokenizer.json";
  }
  if (tokenizer_ && tokenizer_->vocabulary_size() > model_->vocabulary())
    throw Error(ErrorCode::kBadInput, source_->where(), ": the tokenizer has ", tokenizer_->vocabulary_size(),
                " ids, the model ", model_->vocabulary());
  if (const auto text = source_->companion(models::kGenerationConfigFile))
    defaults_ = models::generation_defaults(*text, source_->where() + ": " + models::kGenerationConfigFile);
  end_ids_ = models::end_ids(*source_, model_->vocabulary());
  if (end_ids_.empty() && tokenizer_)
    if (const auto end = tokenizer_->end_of_text()) end_ids_.push_back(*end);
}

const std::string& TextGenerator::weights_hash() const {
  if (weights_hash_.empty()) weights_hash_ = models::weights_hash(*source_);
  return weights_hash_;
}

std::vector<std::int64_t> TextGenerator::ids_of(const Prompt& prompt, bool truncate) const {
  if (const auto* const text = std::get_if<std::string>(&prompt)) {
    if (!tokenizer_)
      throw Error(ErrorCode::kBadInput, "the prompt is a text, and ids alone are taken: ", no_tokenizer_);
    const std::vector<data::TokenId> ids = tokenizer_->encode_prompt(*text, {.truncate = truncate});
    return {ids.begin(), ids.end()};
  }
  const auto& ids = std::get<std::vector<std::int64_t>>(prompt);
  if (ids.empty()) throw Error(ErrorCode::kBadInput, "the prompt has no tokens; at least one is due");
  for (const std::int64_t id : ids)
    if (id < 0 || id >= model_->vocabulary())
      throw Error(ErrorCode::kBadInput, "the prompt has the token ", id, "; the vocabulary has ", model_->vocabulary());
  return ids;
}

std::string TextGenerator::text_of(const Prompt& prompt) const {
  if (const auto* const text = std::get_if<std::string>(&prompt)) return *text;
  if (!tokenizer_) return "";
  std::string text;
  data::Tokenizer::DecodeStream stream(*tokenizer_);
  for (const std::int64_t id : std::get<std::vector<std::int64_t>>(prompt))
    text += stream.push(static_cast<data::TokenId>(id));
  return text + stream.finish();
}

Prompt TextGenerator::chat_prompt(const data::ChatTemplate::Conversation& conversation) {
  if (!tokenizer_)
    throw Error(ErrorCode::kBadInput, "a conversation is text, and ids alone are taken: ", no_tokenizer_);
  if (!chat_template_) {
    chat_template_ = data::ChatTemplate::parse({.tokenizer_config = source_->companion("tokenizer_config.json"),
                                                .special_tokens_map = source_->companion("special_tokens_map.json"),
                                                .chat_template = source_->companion("chat_template.jinja")},
                                               source_->where());
    if (chat_template_->is_default())
      log_warning(source_->where() +
                  " has no chat template: messages are given as <|im_start|>role, content, <|im_end|>");
  }
  // The template writes what comes around a text itself.
  const std::vector<data::TokenId> ids =
      tokenizer_->encode(chat_template_->apply(conversation).text, {.add_special_tokens = false});
  return std::vector<std::int64_t>(ids.begin(), ids.end());
}

Embedding TextGenerator::embed(const Prompt& prompt, Pooling pooling) {
  const at::NoGradGuard no_grad;
  std::vector<std::int64_t> ids = ids_of(prompt, /*truncate=*/true);
  if (ids.empty()) throw Error(ErrorCode::kBadInput, "the text has no tokens; at least one is due");
  const auto tokens = static_cast<std::int64_t>(ids.size());
  const at::Tensor input = at::from_blob(ids.data(), {1, tokens}, at::kLong);
  const at::Tensor hidden = model_->has_encoder() ? model_->encode(input) : model_->forward(input);
  const at::Tensor pooled =
      [&] {
        switch (pooling) {
          case Pooling::kFirst:
            return hidden[0][0];
          case Pooling::kLast:
            return hidden[0][tokens - 1];
          case Pooling::kOwn:
            if (const auto own = model_->pooled(hidden)) return (*own)[0];
            throw Error(ErrorCode::kBadInput, "a model of family ", model_->config().family, " with the head ",
                        model_->config().head, " makes no vector of a text itself; pool mean, first or last");
          case Pooling::kMean:
            break;
        }
        return hidden[0].to(at::kDouble).mean(0);
      }()
          .to(at::kDouble);
  const double length = pooled.norm().item<double>();
  if (!std::isfinite(length)) throw Error(ErrorCode::kNumeric, "the model's weights give numbers that are not finite");
  const at::Tensor unit = (length > 0 ? pooled / length : pooled).to(at::kFloat).contiguous();
  const float* const numbers = unit.const_data_ptr<float>();
  return {{numbers, numbers + unit.numel()}, tokens};
}

std::size_t Classification::likeliest(const std::vector<float>& row) {
  return static_cast<std::size_t>(std::ranges::max_element(row) - row.begin());
}

Classification TextGenerator::classify(const Prompt& prompt) {
  const models::ModelConfig& config = model_->config();
  if (!config.classifies())
    throw Error(ErrorCode::kBadInput, "the model ends in ",
                config.head == "none" ? "hidden states" : "scores of tokens",
                ": it tells no classes or labels (model.head)");
  const at::NoGradGuard no_grad;
  Classification result{.ids = ids_of(prompt)};
  if (result.ids.empty()) throw Error(ErrorCode::kBadInput, "the text has no tokens; at least one is due");
  const auto tokens = static_cast<std::int64_t>(result.ids.size());
  at::Tensor hidden = model_->forward(at::from_blob(result.ids.data(), {1, tokens}, at::kLong));
  if (config.head == "classes") hidden = hidden.narrow(1, model_->class_place(result.ids), 1);
  const at::Tensor scores = models::logits(*model_, hidden)[0].to(at::kDouble);
  if (!scores.isfinite().all().item<bool>())
    throw Error(ErrorCode::kNumeric, "the model's weights give numbers that are not finite");
  const at::Tensor rows = scores.softmax(-1).to(at::kFloat).contiguous();
  for (std::int64_t row = 0; row < rows.size(0); ++row) {
    const float* const first = rows.const_data_ptr<float>() + row * rows.size(1);
    result.probabilities.emplace_back(first, first + rows.size(1));
  }
  return result;
}

Generation TextGenerator::generate(const GenerationRequest& request,
                                   const std::function<bool(std::string_view)>& emit) {
  if (models::kind_of(model_->config()) == models::Family::Kind::kEncoder)
    throw Error(ErrorCode::kBadInput, "a model of family ", model_->config().family,
                " is an encoder: it has embeddings, and goes on with no text");
  if (model_->config().head != "language")
    throw Error(ErrorCode::kBadInput, "the model tells ", model_->config().head,
                " (model.head): it goes on with no text");
  std::vector<std::int64_t> prompt = ids_of(request.prompt);
  if (!tokenizer_ && !request.stop_texts.empty())
    throw Error(ErrorCode::kBadInput, "texts to stop at need a tokenizer: ", no_tokenizer_);
  std::vector<std::int64_t> stops = request.stop_ids;
  if (!request.ignore_end) stops.insert(stops.end(), end_ids_.begin(), end_ids_.end());
  Generation generation{.prompt_tokens = static_cast<std::int64_t>(prompt.size())};
  std::optional<data::Tokenizer::DecodeStream> stream;
  if (tokenizer_) stream.emplace(*tokenizer_, /*skip_special=*/true);
  StopText stop_text(request.stop_texts);
  const auto give = [&](std::string_view text) {
    const std::string free = stop_text.pass(text);
    return emit(free) && !stop_text.found();
  };
  at::Tensor memory;
  if (model_->has_encoder()) {
    const at::NoGradGuard no_grad;
    if (prompt.empty()) throw Error(ErrorCode::kBadInput, "the prompt has no tokens; at least one is due");
    memory = model_->encode(at::from_blob(prompt.data(), {1, generation.prompt_tokens}, at::kLong));
    prompt = {models::decoder_start_id(*source_, model_->vocabulary())};
  } else if (stream) {
    stream->prime(std::vector<data::TokenId>(prompt.begin(), prompt.end()));
  }
  const auto take = [&](std::int64_t token) {
    generation.ids.push_back(token);
    return stream ? give(stream->push(static_cast<data::TokenId>(token))) : emit("");
  };
  const models::Continuation done =
      models::generate(*model_, std::move(prompt), request.max_tokens, request.sampling, stops, take, memory);
  generation.reason = done.reason;
  if (stop_text.found()) {
    generation.reason = "stop";
    generation.stop = *stop_text.found();
    return generation;
  }
  if (done.stop) {
    generation.ids.push_back(*done.stop);
    if (std::ranges::find(request.stop_ids, *done.stop) != request.stop_ids.end()) generation.stop = *done.stop;
  }
  if (done.reason == "interrupted") return generation;
  std::string rest = stop_text.pass(stream ? stream->finish() : "");  // cut within a character
  if (stop_text.found()) {
    generation.reason = "stop";
    generation.stop = *stop_text.found();
  } else {
    rest += stop_text.rest();
  }
  if (!rest.empty()) emit(rest);
  return generation;
}

}  // namespace trireme::serve
