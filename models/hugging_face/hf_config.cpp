#include "models/hugging_face/hf_config.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/strict_json.h"
#include "core/base/text.h"
#include "models/family.h"
#include "models/layer_list.h"
#include "models/layers/feed_forward.h"

namespace trireme::models {
namespace {

using nlohmann::json;

constexpr double kLargest = 9e15;

// A switch that is off, a list without members: says nothing that would have to be honoured.
bool says_nothing(const json& value) {
  return value.is_null() || value == json(false) || (value.is_structured() && value.empty()) ||
         (value.is_string() && value.get_ref<const std::string&>().empty());
}

// Keys of every config.json that say nothing about what is computed: where it comes from, how a library is to run it,
// how text is drawn from it.
constexpr std::string_view kOfAll[] = {"architectures",
                                       "model_type",
                                       "transformers_version",
                                       "torch_dtype",
                                       "dtype",
                                       "use_cache",
                                       "initializer_range",
                                       "name_or_path",
                                       "return_dict",
                                       "output_hidden_states",
                                       "output_attentions",
                                       "pretraining_tp",
                                       "auto_map",
                                       "id2label",
                                       "label2id",
                                       "num_labels",
                                       "problem_type",
                                       "task_specific_params",
                                       "prefix",
                                       "bos_token_id",
                                       "eos_token_id",
                                       "pad_token_id",
                                       "sep_token_id",
                                       "decoder_start_token_id",
                                       "unk_token_id",
                                       "max_length",
                                       "min_length",
                                       "do_sample",
                                       "early_stopping",
                                       "num_beams",
                                       "num_beam_groups",
                                       "diversity_penalty",
                                       "temperature",
                                       "top_k",
                                       "top_p",
                                       "typical_p",
                                       "repetition_penalty",
                                       "length_penalty",
                                       "no_repeat_ngram_size",
                                       "encoder_no_repeat_ngram_size",
                                       "bad_words_ids",
                                       "num_return_sequences",
                                       "output_scores",
                                       "return_dict_in_generate",
                                       "forced_bos_token_id",
                                       "forced_eos_token_id",
                                       "remove_invalid_values",
                                       "exponential_decay_length_penalty",
                                       "suppress_tokens",
                                       "begin_suppress_tokens",
                                       "chunk_size_feed_forward",
                                       "finetuning_task",
                                       "tokenizer_class",
                                       "torchscript",
                                       "use_bfloat16",
                                       "tf_legacy_loss",
                                       "is_encoder_decoder",
                                       "gradient_checkpointing",
                                       "attn_implementation",
                                       "unsloth_version",
                                       "is_llama_config",
                                       "unsloth_fixed",
                                       "tie_encoder_decoder",
                                       "cache_implementation",
                                       "use_return_dict"};

struct NamedActivation {
  std::string_view theirs, ours;
};
constexpr NamedActivation kActivations[] = {
    {"silu", "silu"},          {"swish", "silu"},          {"gelu", "gelu"}, {"gelu_pytorch_tanh", "gelu-tanh"},
    {"gelu_new", "gelu-tanh"}, {"gelu_fast", "gelu-tanh"}, {"relu", "relu"},
};

}  // namespace

HfConfig::HfConfig(const std::string& text, std::string where) : where_(std::move(where)) {
  if (!is_utf8(text)) throw Error(ErrorCode::kBadInput, where_, " is not UTF-8");
  object_ = parse_object(text, where_, ErrorCode::kBadInput);
}

void HfConfig::fail(const char* key, const std::string& what) const {
  throw Error(ErrorCode::kBadInput, where_, ": ", key, " ", what);
}

const json* HfConfig::find(const char* key) {
  read_.insert(key);
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

bool HfConfig::has(const char* key) const {
  const auto found = object_.find(key);
  return found != object_.end() && !found->is_null();
}

bool HfConfig::is_text(const char* key) const {
  const auto found = object_.find(key);
  return found != object_.end() && found->is_string();
}

std::vector<std::string> HfConfig::keys() const {
  std::vector<std::string> names;
  for (const auto& [key, value] : object_.items()) names.push_back(key);
  return names;
}

std::string HfConfig::model_type() { return text("model_type"); }

std::int64_t HfConfig::integer(const char* key, std::optional<std::int64_t> otherwise) {
  const double value = number(key, otherwise ? std::optional(static_cast<double>(*otherwise)) : std::nullopt);
  if (value != std::floor(value)) fail(key, "must be a whole number, got " + to_text(value));
  return static_cast<std::int64_t>(value);
}

std::int64_t HfConfig::layers(const char* key) {
  constexpr std::int64_t kMost = 4096;
  const std::int64_t count = integer(key);
  if (count < 1 || count > kMost) fail(key, "must lie between 1 and 4096, got " + std::to_string(count));
  return count;
}

double HfConfig::number(const char* key, std::optional<double> otherwise) {
  const json* const value = find(key);
  if (!value && otherwise) return *otherwise;
  if (!value) fail(key, "is missing; a number is due");
  if (!value->is_number()) fail(key, "must be a number, got " + json_excerpt(*value));
  const double result = value->get<double>();
  if (!(std::abs(result) <= kLargest)) fail(key, "must lie between -9e15 and 9e15, got " + json_excerpt(*value));
  return result;
}

bool HfConfig::flag(const char* key, bool otherwise) {
  const json* const value = find(key);
  if (!value) return otherwise;
  if (!value->is_boolean()) fail(key, "must be true or false, got " + json_excerpt(*value));
  return value->get<bool>();
}

std::string HfConfig::text(const char* key, std::optional<std::string> otherwise) {
  const json* const value = find(key);
  if (!value && otherwise) return *otherwise;
  if (!value) fail(key, "is missing; a text is due");
  if (!value->is_string()) fail(key, "must be a text, got " + json_excerpt(*value));
  return value->get<std::string>();
}

std::vector<std::string> HfConfig::texts(const char* key) {
  const json* const value = find(key);
  std::vector<std::string> list;
  if (!value) return list;
  if (!value->is_array()) fail(key, "must be a list of texts, got " + json_excerpt(*value));
  for (const json& item : *value) {
    if (!item.is_string()) fail(key, "must be a list of texts, got " + json_excerpt(*value));
    list.push_back(item.get<std::string>());
  }
  return list;
}

std::vector<double> HfConfig::numbers(const char* key) {
  const json* const value = find(key);
  std::vector<double> list;
  if (!value) return list;
  if (!value->is_array()) fail(key, "must be a list of numbers, got " + json_excerpt(*value));
  for (const json& item : *value) {
    if (!item.is_number() || !(std::abs(item.get<double>()) <= kLargest))
      fail(key, "must be a list of numbers between -9e15 and 9e15, got " + json_excerpt(*value));
    list.push_back(item.get<double>());
  }
  return list;
}

std::vector<std::int64_t> HfConfig::integers(const char* key) {
  std::vector<std::int64_t> list;
  for (const double value : numbers(key)) {
    if (value != std::floor(value)) fail(key, "must be a list of whole numbers, got " + to_text(value));
    list.push_back(static_cast<std::int64_t>(value));
  }
  return list;
}

std::vector<std::int64_t> HfConfig::one_or_more_integers(const char* key) {
  const json* const value = find(key);
  if (value && value->is_array()) return integers(key);
  return {integer(key)};
}

std::optional<HfConfig> HfConfig::object(const char* key) {
  const json* const value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_object()) fail(key, "must be an object, got " + json_excerpt(*value));
  return HfConfig(*value, where_ + ": " + key);
}

void HfConfig::ignore(std::initializer_list<const char*> keys) {
  for (const char* key : keys) read_.insert(key);
}

void HfConfig::expect(const char* key, const json& honoured) {
  const json* const value = find(key);
  if (value && *value != honoured)
    fail(key, "is honoured as " + json_excerpt(honoured) + " alone, got " + json_excerpt(*value));
}

void HfConfig::warn_of_dropout(std::initializer_list<const char*> keys) {
  for (const char* key : keys)
    if (const double rate = number(key, 0); rate != 0)
      log_warning(where_ + ": " + key + " " + to_text(rate) +
                  " is a rate of training that is not taken over; model.dropout is the one for all places");
}

void HfConfig::expect_all_read() const {
  for (const auto& [key, value] : object_.items()) {
    if (read_.contains(key) || std::ranges::find(kOfAll, key) != std::end(kOfAll) || key.starts_with('_') ||
        says_nothing(value))
      continue;
    throw Error(
        ErrorCode::kBadInput, where_, ": the option ", json_excerpt(json(key)), " with the value ", json_excerpt(value),
        " is not known here, and might change what the model computes; where it does not, take it out of the file");
  }
}

std::vector<std::string> read_labels(HfConfig& from) {
  // Several at once, or a number, would be other answers to the same scores.
  from.expect("problem_type", "single_label_classification");
  constexpr std::int64_t kMost = 1 << 16;
  auto table = from.object("id2label");
  if (!table) {
    std::vector<std::string> labels;
    const std::int64_t count = from.integer("num_labels", 2);
    if (count < 2 || count > kMost)
      from.fail("num_labels", "must lie between 2 and 65536, got " + std::to_string(count));
    for (std::int64_t i = 0; i < count; ++i) labels.push_back("LABEL_" + std::to_string(i));
    return labels;
  }
  std::vector<std::string> labels(table->keys().size());
  if (labels.size() < 2 || labels.size() > kMost)
    from.fail("id2label", "must name 2 to 65536 labels, got " + std::to_string(labels.size()));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::string key = std::to_string(i);
    if (!table->has(key.c_str()))
      from.fail("id2label", "has " + std::to_string(labels.size()) + " labels, and none with the number " + key);
    labels[i] = table->text(key.c_str());
  }
  return labels;
}

void write_labels(const std::vector<std::string>& labels, HfConfigWriter& to) {
  // Without looking for a key among all before it.
  std::vector<std::pair<const std::string, nlohmann::ordered_json>> names, numbers;
  std::set<std::string> known;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    names.emplace_back(std::to_string(i), labels[i]);
    if (known.insert(labels[i]).second) numbers.emplace_back(labels[i], i);
  }
  const auto object = [](const auto& members) {
    return nlohmann::ordered_json(nlohmann::ordered_json::object_t(members.begin(), members.end()));
  };
  to.set("id2label", object(names));
  to.set("label2id", object(numbers));
  to.set("problem_type", "single_label_classification");
}

std::string read_activation(HfConfig& from, const char* key, const std::string& otherwise) {
  const std::string name = from.text(key, otherwise);
  for (const NamedActivation& known : kActivations)
    if (known.theirs == name) return std::string(known.ours);
  std::string all;
  for (const NamedActivation& known : kActivations) all += (all.empty() ? "" : ", ") + std::string(known.theirs);
  from.fail(key, "must be one of " + all + ", got '" + name + "'");
}

std::string hf_activation(const ModelConfig& config) {
  const std::string_view name = activation_name(activation_of(config));
  return std::string(std::ranges::find(kActivations, name, &NamedActivation::ours)->theirs);
}

void read_decoder_config(HfConfig& from, ModelConfig& to, const HfDecoderKeys& keys) {
  to.layers = from.layers("num_hidden_layers");
  to.width = from.integer("hidden_size");
  to.heads = from.integer("num_attention_heads");
  if (keys.kv_heads) {
    if (!keys.kv_heads_may_be_missing && from.is_missing("num_key_value_heads"))
      from.fail("num_key_value_heads", "is missing; a number or null is due");
    to.kv_heads = from.integer("num_key_value_heads", to.heads);
  }
  if (keys.head_width) to.head_width = from.integer("head_dim", 0);
  to.ffn = from.integer("intermediate_size");
  to.context = from.integer("max_position_embeddings");
  to.norm_epsilon = from.number(keys.norm_epsilon);
  to.activation = read_activation(from, keys.activation, "silu");
  to.tie_embeddings = from.flag("tie_word_embeddings", false);
}

void write_decoder_config(const ModelConfig& from, HfConfigWriter& to, const HfDecoderKeys& keys) {
  to.set("hidden_size", from.width);
  to.set("num_hidden_layers", from.layers);
  to.set("num_attention_heads", from.heads);
  if (keys.kv_heads) to.set("num_key_value_heads", from.kv_heads_or_default());
  if (keys.head_width && (from.head_width > 0 || keys.head_width_has_default))
    to.set("head_dim", from.head_width_or_default());
  to.set("intermediate_size", FeedForward::inner_width(from, keys.gated));
  to.set("max_position_embeddings", from.context);
  to.set(keys.norm_epsilon, from.norm_epsilon);
  to.set(keys.activation, hf_activation(from));
  to.set("tie_word_embeddings", from.tie_embeddings);
}

namespace {

double yarn_factor(double scale, double weight) { return scale <= 1 ? 1 : 0.1 * weight * std::log(scale) + 1; }

std::string list_text(const std::vector<double>& values) {
  std::string text;
  for (const double value : values) text += (text.empty() ? "" : ",") + to_text(value);
  return text;
}

nlohmann::ordered_json number_list(const std::string& text) {
  auto list = nlohmann::ordered_json::array();
  for (const std::string& part : split(text, ',')) list.push_back(std::stod(part));
  return list;
}

void read_attention_factor(HfConfig& rope, RopeScaling& scaling) {
  if (!rope.has("attention_factor")) return;
  scaling.attention_factor = rope.number("attention_factor");
  if (!(scaling.attention_factor > 0))
    rope.fail("attention_factor", "must be above 0, got " + to_text(scaling.attention_factor));
}

void read_scaling(HfConfig& from, HfConfig& rope, ModelConfig& to) {
  RopeScaling& scaling = to.rope_scaling;
  const std::string type = rope.text(rope.has("rope_type") ? "rope_type" : "type", "default");
  rope.ignore({"rope_type", "type"});
  if (type == "default") {
    rope.ignore({"factor", "original_max_position_embeddings"});  // without meaning there
    return;
  }
  if (type == "dynamic") {
    // Angles change for sequences beyond max_position_embeddings alone, and here none is longer.
    log_warning(rope.where() + ": the type dynamic begins beyond max_position_embeddings, " +
                std::to_string(to.context) + ", which is the longest sequence here: it changes nothing");
    rope.ignore({"factor", "original_max_position_embeddings"});
    return;
  }
  scaling.original_context = rope.integer("original_max_position_embeddings", 0);
  // Of some models it stands beside, and counts before.
  if (from.has("original_max_position_embeddings"))
    scaling.original_context = from.integer("original_max_position_embeddings");
  if (scaling.original_context == 0) scaling.original_context = to.context;
  const double ratio =
      static_cast<double>(to.context) / static_cast<double>(std::max<std::int64_t>(1, scaling.original_context));
  if (type == "linear") {
    scaling.original_context = 0;
    scaling.type = type;
    scaling.factor = rope.number("factor");
  } else if (type == "llama3") {
    scaling.type = type;
    scaling.factor = rope.number("factor");
    scaling.low_frequency_factor = rope.number("low_freq_factor");
    scaling.high_frequency_factor = rope.number("high_freq_factor");
  } else if (type == "yarn") {
    scaling.type = type;
    scaling.factor = rope.number("factor", ratio);
    scaling.beta_fast = rope.number("beta_fast", 32);
    scaling.beta_slow = rope.number("beta_slow", 1);
    scaling.truncate = rope.flag("truncate", true);
    const double numerator = rope.number("mscale", 0), denominator = rope.number("mscale_all_dim", 0);
    if (numerator != 0 && denominator != 0)
      scaling.attention_factor = yarn_factor(scaling.factor, numerator) / yarn_factor(scaling.factor, denominator);
    read_attention_factor(rope, scaling);
  } else if (type == "longrope" || type == "su") {
    scaling.type = "longrope";
    scaling.short_factors = list_text(rope.numbers("short_factor"));
    scaling.long_factors = list_text(rope.numbers("long_factor"));
    const double factor = rope.number("factor", ratio);
    if (rope.has("factor") && factor != ratio)
      scaling.attention_factor =
          factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(static_cast<double>(scaling.original_context)));
    read_attention_factor(rope, scaling);
  } else {
    rope.fail("rope_type", "must be one of default, linear, dynamic, llama3, yarn, longrope, got '" + type + "'");
  }
}

}  // namespace

void read_rope(HfConfig& from, ModelConfig& to, double default_base, double default_share) {
  auto rope = from.object("rope_scaling");
  if (!rope || rope->is_empty()) rope = from.object("rope_parameters");
  from.ignore({"rope_scaling", "rope_parameters", "original_max_position_embeddings"});
  to.rope_base = from.number("rope_theta", default_base);
  to.rope_share = from.number("partial_rotary_factor", default_share);
  if (!rope) return;
  to.rope_base = rope->number("rope_theta", to.rope_base);
  to.rope_share = rope->number("partial_rotary_factor", to.rope_share);
  read_scaling(from, *rope, to);
  rope->expect_all_read();
}

void write_rope(const ModelConfig& from, HfConfigWriter& to, const char* base_key, const char* share_key) {
  to.set(base_key, from.rope_base);
  if (share_key) to.set(share_key, from.rope_share);
  const RopeScaling& scaling = from.rope_scaling;
  if (scaling.type == "none") return;
  nlohmann::ordered_json object = {{"rope_type", scaling.type}};
  if (scaling.type != "longrope") object["factor"] = scaling.factor;
  if (scaling.type != "linear")
    object["original_max_position_embeddings"] = scaling.original_context > 0 ? scaling.original_context : from.context;
  if (scaling.type == "llama3") {
    object["low_freq_factor"] = scaling.low_frequency_factor;
    object["high_freq_factor"] = scaling.high_frequency_factor;
  } else if (scaling.type == "yarn") {
    object["beta_fast"] = scaling.beta_fast;
    object["beta_slow"] = scaling.beta_slow;
    object["truncate"] = scaling.truncate;
  } else if (scaling.type == "longrope") {
    object["short_factor"] = number_list(scaling.short_factors);
    object["long_factor"] = number_list(scaling.long_factors);
  }
  if (scaling.attention_factor > 0) object["attention_factor"] = scaling.attention_factor;
  to.set("rope_scaling", object);
}

namespace {

// Which layers layer_types name, or those otherwise.
std::vector<bool> sliding_layers(HfConfig& from, const ModelConfig& to, const std::vector<bool>& otherwise) {
  const std::vector<std::string> types = from.texts("layer_types");
  if (types.empty()) return otherwise;
  if (static_cast<std::int64_t>(types.size()) != to.layers)
    from.fail("layer_types", "must name " + std::to_string(to.layers) + " layers, got " + std::to_string(types.size()));
  std::vector<bool> chosen;
  for (const std::string& type : types) {
    if (type != "full_attention" && type != "sliding_attention")
      from.fail("layer_types", "must be full_attention or sliding_attention each, got '" + type + "'");
    chosen.push_back(type == "sliding_attention");
  }
  return chosen;
}

bool any_of(const std::vector<bool>& chosen) { return std::ranges::find(chosen, true) != chosen.end(); }

}  // namespace

void read_window(HfConfig& from, ModelConfig& to, std::int64_t when_missing, const std::vector<bool>& sliding) {
  constexpr const char* kKey = "sliding_window";
  const std::vector<bool> chosen = sliding_layers(from, to, sliding);
  const std::int64_t window = from.is_missing(kKey) ? when_missing : from.integer(kKey, 0);
  if (from.has(kKey) && window < 1) from.fail(kKey, "must be at least 1, got " + std::to_string(window));
  if (window == 0 && any_of(chosen) && from.has("layer_types"))
    from.fail(kKey, "is missing, and layer_types ask for it");
  if (window == 0 || !any_of(chosen)) return;
  to.window = window;
  to.window_layers = layer_list_text(chosen);
}

void read_window_if_used(HfConfig& from, ModelConfig& to, std::int64_t when_missing, const std::vector<bool>& sliding) {
  if (from.flag("use_sliding_window", false)) return read_window(from, to, when_missing, sliding);
  from.ignore({"sliding_window"});
  if (any_of(sliding_layers(from, to, {})))
    from.fail("use_sliding_window", "is false, and layer_types ask for a window");
}

std::vector<bool> every_layer(const ModelConfig& config) {
  return std::vector<bool>(static_cast<std::size_t>(config.layers), true);
}

nlohmann::ordered_json window_json(const ModelConfig& config) {
  return config.window > 0 ? nlohmann::ordered_json(config.window) : nlohmann::ordered_json();
}

std::vector<std::string> layer_types(const ModelConfig& config) {
  std::vector<std::string> types;
  for (const bool one : layer_list(config.window_layers, config.layers, "model.window-layers"))
    types.emplace_back(one && config.window > 0 ? "sliding_attention" : "full_attention");
  return types;
}

}  // namespace trireme::models
