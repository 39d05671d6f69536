#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "data/chat/chat_template.h"
#include "data/tokenizer/tokenizer.h"
#include "models/generate/sampler.h"
#include "models/hugging_face/generation_config.h"
#include "models/load.h"
#include "models/model.h"

namespace trireme::serve {

/// A text to continue, or the ids that it is made of.
using Prompt = std::variant<std::string, std::vector<std::int64_t>>;

struct GenerationRequest {
  Prompt prompt;
  std::int64_t max_tokens = 64;
  models::SamplingOptions sampling;
  bool ignore_end = false;              ///< the tokens that end a text are tokens like any other
  std::vector<std::int64_t> stop_ids;   ///< further tokens that end this one
  std::vector<std::string> stop_texts;  ///< the text ends before the first of them
};

struct Generation {
  std::int64_t prompt_tokens = 0;
  std::vector<std::int64_t> ids;  ///< drawn, with the one that ended the text
  std::string reason;  ///< "stop": the text ended; "length": max_tokens or the context is used up; "interrupted"
  /// What ended it, where the request named it: an id, or a text.
  std::variant<std::monostate, std::int64_t, std::string> stop;
};

/// How the hidden states of a text's tokens become one vector.
enum class Pooling {
  kMean,
  kFirst,
  kLast,
  kOwn,  ///< what the model itself makes of them: BERT's pooler
};

struct Embedding {
  std::vector<float> vector;  ///< of length 1
  std::int64_t prompt_tokens = 0;
};

/// What a model with model.head classes or labels says of a text.
struct Classification {
  std::vector<std::vector<float>> probabilities;  ///< of model.labels: of the text, or of each of its tokens
  std::vector<std::int64_t> ids;                  ///< its tokens

  /// The likeliest label of a row, the first of several.
  static std::size_t likeliest(const std::vector<float>& row);
};

/// A model with its tokenizer, continuing one text at a time, answering it with another where the model has an encoder
/// for what it reads, making a vector of it, or telling what it is.
class TextGenerator {
 public:
  /// A model without a tokenizer, or with one that is not supported, takes and gives ids alone.
  /// @param type  of the weights in memory; none: as they are stored
  /// @throws Error kCorrupt, kBadInput
  explicit TextGenerator(std::shared_ptr<const models::ModelSource> source,
                         std::optional<at::ScalarType> type = std::nullopt);

  /// Of the weights that answer, as they are stored.
  const std::string& weights_hash() const;
  const models::Model& model() const { return *model_; }
  /// Whether ids become text.
  bool has_text() const { return tokenizer_.has_value(); }
  /// A prompt as text; of ids, empty where there is no tokenizer.
  std::string text_of(const Prompt& prompt) const;

  /// What a request that does not say otherwise is answered with: generation_config.json of the model.
  const models::GenerationDefaults& defaults() const { return defaults_; }
  /// A conversation as the prompt that the model's chat template makes of it. The first call says, in the log, where
  /// the model has none of its own.
  /// @throws data::jinja::TemplateRaised, Error kBadInput  see data::ChatTemplate; there is no tokenizer
  Prompt chat_prompt(const data::ChatTemplate::Conversation& conversation);

  /// What a text means to the model: hidden states behind its last layer, or its encoder's, pooled, computed in the
  /// weights' type. A long text is cut where its tokenizer.json says so, as models that embed sentences have it.
  /// @throws Error kBadInput as generate(), and for kOwn where the model makes nothing of a text itself
  Embedding embed(const Prompt& prompt, Pooling pooling);

  /// The softmax of the scores of its labels, made in float64.
  /// @throws Error kBadInput as generate(), and for a model that ends in something else
  Classification classify(const Prompt& prompt);

  /// Continues a prompt; an empty text starts a new one. `emit` gets the text as it comes, in whole UTF-8 characters
  /// (U+FFFD for bytes that are none: any byte is a token), at each token, also where that adds none, and says whether
  /// to go on; nothing of a stop text is given.
  /// @throws Error kBadInput when the prompt leaves no room in the context, has ids outside of the vocabulary or none,
  ///         or is a text and there is no tokenizer, or the model goes on with none
  Generation generate(const GenerationRequest& request, const std::function<bool(std::string_view)>& emit);

 private:
  /// @param truncate  a text, to what the tokenizer's file says it is to be cut to
  std::vector<std::int64_t> ids_of(const Prompt& prompt, bool truncate = false) const;

  std::shared_ptr<const models::ModelSource> source_;
  std::optional<data::Tokenizer> tokenizer_;
  std::string no_tokenizer_;  // why
  std::unique_ptr<models::Model> model_;
  std::vector<std::int64_t> end_ids_;
  models::GenerationDefaults defaults_;
  std::optional<data::ChatTemplate> chat_template_;  // read when it is first asked for
  mutable std::string weights_hash_;
};

}  // namespace trireme::serve
