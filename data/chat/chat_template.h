#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/jinja/template.h"

namespace trireme::data {

/// How a model's conversations become one text: the chat templates that published models carry, driven as Hugging
/// Face's transformers (5.23) drives them, byte for byte.
///
/// They come as "chat_template" of tokenizer_config.json, a text or a list of {"name", "template"}, or in a file
/// chat_template.jinja beside it, which goes first, and in more files additional_chat_templates/NAME.jinja. A model
/// without any gets kDefaultTemplate, and is_default() says so.
class ChatTemplate {
 public:
  using Json = nlohmann::ordered_json;

  /// "<|im_start|>role\ncontent<|im_end|>\n" a message, which many models know as ChatML. A model that was not trained
  /// on it sees these marks as plain text.
  static const std::string_view kDefaultTemplate;

  /// What the files of a model say; those that it does not have stay empty.
  struct Files {
    std::optional<std::string> tokenizer_config;    ///< tokenizer_config.json
    std::optional<std::string> special_tokens_map;  ///< special_tokens_map.json; loses to tokenizer_config
    std::optional<std::string> chat_template;       ///< chat_template.jinja
    std::map<std::string, std::string> additional;  ///< additional_chat_templates/NAME.jinja, by name
  };
  /// @param origin  named in messages: the model's directory
  /// @throws Error kBadInput  a file is no JSON, a template is none, or a part has another form than these
  static ChatTemplate parse(const Files& files, const std::string& origin);

  /// Whether the model has no template of its own.
  bool is_default() const { return is_default_; }
  /// "default" and whatever else the model has, "tool_use" and "rag" for example.
  std::vector<std::string> names() const;
  /// bos_token, eos_token and so on: what a template sees as variables.
  const Json& special_tokens() const { return special_tokens_; }

  /// One conversation, as apply_chat_template takes it.
  struct Conversation {
    /// Objects with role and content. What is null in them is left out, and reasoning_content is filled from thinking
    /// or reasoning, as transformers does.
    Json messages = Json::array();
    Json tools;      ///< null, or JSON schemas of functions
    Json documents;  ///< null, or objects with title and text
    bool add_generation_prompt = false;
    /// The last message is left open, for the model to go on with it: the name of its field, mostly "content".
    std::optional<std::string> continue_final_message;
    /// More variables, enable_thinking for example. They go before special tokens of the same name.
    Json extra = Json::object();
    /// Which template; without it "tool_use" where there are tools and such a one, else "default".
    std::optional<std::string> name;
  };
  using Rendered = jinja::Template::Rendered;

  /// @throws jinja::TemplateRaised  the template refuses the conversation, in its own words
  /// @throws Error kBadInput        messages, tools or documents of another form; the template fails or runs away
  Rendered apply(const Conversation& conversation, const jinja::Budget& budget = {},
                 const jinja::Clock& clock = std::chrono::system_clock::now) const;

 private:
  explicit ChatTemplate(std::string origin) : origin_(std::move(origin)) {}
  void read_config(const Json& config);
  const jinja::Template& choose(const Conversation& conversation) const;

  std::string origin_;
  std::map<std::string, jinja::Template> templates_;
  Json special_tokens_ = Json::object();
  bool is_default_ = false;
};

}  // namespace trireme::data
