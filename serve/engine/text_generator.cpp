#include "serve/engine/text_generator.h"

#include "core/base/error.h"
#include "core/base/text.h"
#include "models/generate/generate.h"

namespace trireme::serve {

namespace {

data::Tokenizer tokenizer_of(const models::ModelSource& source) {
  const auto json = source.companion("tokenizer.json");
  if (!json) throw Error(ErrorCode::kBadInput, source.where(), " has no tokenizer.json: it takes token ids alone");
  return data::Tokenizer::parse(*json, source.where());
}

}  // namespace

TextGenerator::TextGenerator(std::shared_ptr<const models::ModelSource> source)
    : source_(std::move(source)), tokenizer_(tokenizer_of(*source_)), model_(models::load_model(source_)) {
  if (tokenizer_.vocabulary_size() > model_->vocabulary())
    throw Error(ErrorCode::kBadInput, source_->where(), ": the tokenizer has ", tokenizer_.vocabulary_size(),
                " ids, the model ", model_->vocabulary());
}

TextGenerator::Outcome TextGenerator::generate(std::string_view prompt, std::int64_t max_tokens,
                                               const models::SamplingOptions& sampling,
                                               const std::function<bool(std::string_view)>& emit) {
  const std::vector<data::TokenId> prompt_ids = tokenizer_.encode_prompt(prompt);
  std::string pending;  // bytes that do not yet end on a character
  const models::Continuation done =
      models::generate(*model_, {prompt_ids.begin(), prompt_ids.end()}, max_tokens, sampling, tokenizer_.end_of_text(),
                       [&](std::int64_t token) {
                         pending += tokenizer_.decode_one(static_cast<data::TokenId>(token));
                         const std::size_t whole = complete_utf8_prefix(pending);
                         const bool go_on = emit(well_formed_utf8(std::string_view(pending).substr(0, whole)));
                         pending.erase(0, whole);
                         return go_on;
                       });
  if (!pending.empty() && done.reason != "interrupted") emit(well_formed_utf8(pending));  // cut within a character
  return {static_cast<std::int64_t>(prompt_ids.size()), done.tokens, done.reason};
}

}  // namespace trireme::serve
