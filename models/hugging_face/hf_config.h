#pragma once
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "models/config.h"

namespace trireme::models {

/// A config.json that is read: it knows which of its keys were asked for, so that none is passed over in silence.
/// A key that is missing and one that is null are the same. All functions throw Error kBadInput with file, key, the
/// value seen and what is allowed.
class HfConfig {
 public:
  /// @param where  for messages: the path
  HfConfig(const std::string& text, std::string where);

  const std::string& where() const { return where_; }
  std::string model_type();

  bool has(const char* key) const;
  bool is_empty() const { return object_.empty(); }
  /// Not there at all: null says something else where Hugging Face's default is not null.
  bool is_missing(const char* key) const { return !object_.contains(key); }
  std::int64_t integer(const char* key, std::optional<std::int64_t> otherwise = std::nullopt);
  /// A number of layers, which lists are made of.
  std::int64_t layers(const char* key);
  double number(const char* key, std::optional<double> otherwise = std::nullopt);
  bool flag(const char* key, bool otherwise);
  std::string text(const char* key, std::optional<std::string> otherwise = std::nullopt);
  std::vector<std::string> texts(const char* key);
  bool is_text(const char* key) const;
  std::vector<std::int64_t> integers(const char* key);
  std::vector<std::int64_t> one_or_more_integers(const char* key);
  /// An object, read by a reader of its own; nothing where there is none.
  std::optional<HfConfig> object(const char* key);
  std::vector<double> numbers(const char* key);
  std::vector<std::string> keys() const;

  /// Has no meaning for what is computed here.
  void ignore(std::initializer_list<const char*> keys);
  /// Is honoured with this value alone.
  void expect(const char* key, const nlohmann::json& honoured);
  /// What a model drops while it trains where ours has no such rate: it is said that it is not taken over.
  void warn_of_dropout(std::initializer_list<const char*> keys);
  /// @throws Error kBadInput naming a key that nobody asked for, unless it says no, nothing or none
  void expect_all_read() const;

  [[noreturn]] void fail(const char* key, const std::string& what) const;

 private:
  HfConfig(nlohmann::json object, std::string where) : object_(std::move(object)), where_(std::move(where)) {}
  const nlohmann::json* find(const char* key);

  nlohmann::json object_;
  std::string where_;
  std::set<std::string> read_;
};

/// Keys of config.json that name tokens with a meaning.
inline constexpr const char* kSpecialIdKeys[] = {"bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id",
                                                 "decoder_start_token_id"};

/// A config.json that is written.
class HfConfigWriter {
 public:
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  template <class Value>
  void set(const char* key, Value value) {
    object[key] = std::move(value);
  }
};

/// What every decoder's config has: sizes, heads, norms, activation, under Hugging Face's usual keys.
/// @param head_width  "head_dim" is read, and written
struct HfDecoderKeys {
  bool kv_heads = true;
  bool kv_heads_may_be_missing = false;
  bool head_width = true;
  bool head_width_has_default = false;  ///< another than width / heads: it is always written
  bool gated = true;                    ///< the feed-forward
  const char* activation = "hidden_act";
  const char* norm_epsilon = "rms_norm_eps";
};
void read_decoder_config(HfConfig& from, ModelConfig& to, const HfDecoderKeys& keys = {});
void write_decoder_config(const ModelConfig& from, HfConfigWriter& to, const HfDecoderKeys& keys = {});

/// id2label, or two labels without a name that nobody gave; what is learnt is one of them for each text or token.
/// @throws Error kBadInput
std::vector<std::string> read_labels(HfConfig& from);
void write_labels(const std::vector<std::string>& labels, HfConfigWriter& to);

/// "silu", "gelu_new", ... -> model.activation. @throws Error kBadInput
std::string read_activation(HfConfig& from, const char* key, const std::string& otherwise);
/// And back.
std::string hf_activation(const ModelConfig& config);

/// rope_theta, rope_scaling, partial_rotary_factor, or rope_parameters, which holds them all.
void read_rope(HfConfig& from, ModelConfig& to, double default_base = 10000, double default_share = 1);
void write_rope(const ModelConfig& from, HfConfigWriter& to, const char* base_key = "rope_theta",
                const char* share_key = nullptr);

/// sliding_window, and layer_types where it holds for some layers only.
/// @param when_missing  the window of a config.json that does not say, 0: none; null there says that there is none
/// @param sliding       layers that have it where no layer_types say so
void read_window(HfConfig& from, ModelConfig& to, std::int64_t when_missing, const std::vector<bool>& sliding);
/// The same where use_sliding_window has to ask for it.
void read_window_if_used(HfConfig& from, ModelConfig& to, std::int64_t when_missing, const std::vector<bool>& sliding);
std::vector<bool> every_layer(const ModelConfig& config);
/// The number, or null where there is no window.
nlohmann::ordered_json window_json(const ModelConfig& config);
/// "sliding_attention" or "full_attention" for each layer.
std::vector<std::string> layer_types(const ModelConfig& config);

}  // namespace trireme::models
