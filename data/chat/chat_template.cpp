#include "data/chat/chat_template.h"

#include <algorithm>

#include "core/base/strict_json.h"
#include "core/base/text.h"
#include "data/jinja/characters.h"

namespace trireme::data {
namespace {

using Json = nlohmann::ordered_json;

// Names that a message's reasoning goes by; the first is the one that templates read.
constexpr const char* kReasoningFields[] = {"reasoning_content", "thinking", "reasoning"};

// Stands behind what is to be continued, and is looked for in what was rendered.
constexpr std::string_view kTag = "CONTINUE_FINAL_MESSAGE_TAG ";

constexpr const char* kSpecialTokens[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                          "pad_token", "cls_token", "mask_token"};

template <class... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  throw Error(ErrorCode::kBadInput, parts...);
}

Json object_of(const std::string& text, const std::string& where) {
  parse_object(text, where, ErrorCode::kBadInput);
  return Json::parse(text);
}

/// A token is a text, or an object that has it as "content".
std::optional<std::string> token_text(const Json& token) {
  if (token.is_string()) return token.get<std::string>();
  if (token.is_object() && token.contains("content") && token["content"].is_string())
    return token["content"].get<std::string>();
  return std::nullopt;
}

void read_tokens(const Json& source, const std::string& where, Json& tokens) {
  const auto set = [&](const std::string& name, const Json& token) {
    if (token.is_null()) return;
    const auto text = token_text(token);
    if (!text) refuse(where, ": ", name, " must be a text or {\"content\": text}, got ", json_excerpt(token));
    tokens[name] = *text;
  };
  for (const char* name : kSpecialTokens)
    if (source.contains(name)) set(name, source[name]);
  // Tokens of a model's own: those of image and tool models.
  for (const char* key : {"extra_special_tokens", "model_specific_special_tokens"})
    if (source.contains(key) && source[key].is_object())
      for (const auto& [name, token] : source[key].items()) set(name, token);
}

Json without_nulls(const Json& message) {
  Json kept = Json::object();
  for (const auto& [key, value] : message.items())
    if (!value.is_null()) kept[key] = value;
  return kept;
}

/// Reasoning under each of the names that templates read.
Json with_reasoning(const Json& message) {
  for (const char* field : kReasoningFields) {
    if (!message.contains(field)) continue;
    const Json reasoning = message[field];
    Json filled = Json::object({{"thinking", reasoning}});
    for (const auto& [key, value] : message.items()) filled[key] = value;
    filled["reasoning_content"] = reasoning;
    return filled;
  }
  return message;
}

void require_objects(const Json& list, const char* what) {
  if (!list.is_array()) refuse(what, " must be a list of objects, got ", json_excerpt(list));
  for (const Json& one : list)
    if (!one.is_object()) refuse(what, " must be a list of objects, and holds ", json_excerpt(one));
}

/// The last message of a conversation, which is to be left open.
class FinalMessage {
 public:
  FinalMessage(Json& messages, const std::string& field, const std::string& source) {
    Json& message = messages.back();
    if (!message.contains(field))
      refuse("continue_final_message: the last message has no \"", field, "\" to go on with");
    std::vector<std::string> fields{field};
    if (std::find(std::begin(kReasoningFields), std::end(kReasoningFields), field) != std::end(kReasoningFields)) {
      const Json reasoning = message[field];
      fields.clear();
      for (const char* name : kReasoningFields)
        if (message.contains(name) && message[name] == reasoning) fields.emplace_back(name);
    }
    if (std::none_of(fields.begin(), fields.end(),
                     [&](const std::string& name) { return source.find(name) != std::string::npos; }))
      refuse("continue_final_message: the template does not read \"", field, "\"");
    if (message[field].is_array())
      open_part(message[field]);
    else
      for (const std::string& name : fields) open(message[name]);
  }

  /// What was rendered, up to the end of the message. Ranges lie before it.
  void cut(std::string& rendered) const {
    const std::string_view mark = kTag.substr(0, kTag.size() - 1), wanted = stripped(text_);
    const std::size_t at = rendered.rfind(mark);
    if (rendered.find(wanted) == std::string::npos || at == std::string::npos)
      refuse(
          "continue_final_message: the template does not render the last message as it is, so none can go on with it");
    const bool keeps_space = std::string_view(rendered).substr(at).starts_with(kTag);
    rendered.resize(at);
    // The space behind the tag is gone, and so is what the message ended with.
    if (!keeps_space) rendered.resize(jinja::strip_right(rendered).size());
  }

 private:
  static std::string_view stripped(std::string_view text) { return jinja::strip_left(jinja::strip_right(text)); }
  void open(Json& text) {
    if (!text.is_string()) refuse("continue_final_message: the last message is no text: ", json_excerpt(text));
    text_ = text.get<std::string>();
    text = text_ + std::string(kTag);
  }
  void open_part(Json& parts) {
    for (auto part = parts.rbegin(); part != parts.rend(); ++part)
      if (part->is_object() && part->contains("text")) return open((*part)["text"]);
    refuse("continue_final_message: the last message has no part with a text to go on with");
  }

  std::string text_;
};

}  // namespace

// Parts that are no text, images for example, are left out: a model without a template has not learnt of them.
const std::string_view ChatTemplate::kDefaultTemplate =
    R"({%- macro text(content) %}
{%- if content is string %}{{ content }}{% else %}
{%- for part in content or [] if part.type == 'text' %}{{ part.text }}{% endfor %}
{%- endif %}
{%- endmacro %}
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\n' }}
{%- if message.role == 'assistant' %}
{%- generation %}{{ text(message.content) + '<|im_end|>' }}{% endgeneration %}
{%- else %}
{{- text(message.content) + '<|im_end|>' }}
{%- endif %}
{{- '\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %})";

ChatTemplate ChatTemplate::parse(const Files& files, const std::string& origin) {
  ChatTemplate made(origin);
  if (files.special_tokens_map) {
    const std::string where = origin + "/special_tokens_map.json";
    read_tokens(object_of(*files.special_tokens_map, where), where, made.special_tokens_);
  }
  if (files.tokenizer_config) made.read_config(object_of(*files.tokenizer_config, origin + "/tokenizer_config.json"));
  if (files.chat_template || !files.additional.empty()) made.templates_.clear();
  const auto add = [&](const std::string& name, const std::string& source, const std::string& where) {
    made.templates_.insert_or_assign(name, jinja::Template::parse(source, where));
  };
  if (files.chat_template) add("default", *files.chat_template, origin + "/chat_template.jinja");
  for (const auto& [name, source] : files.additional)
    add(name, source, origin + "/additional_chat_templates/" + name + ".jinja");
  if (made.templates_.empty()) {
    made.is_default_ = true;
    add("default", std::string(kDefaultTemplate), "the default chat template");
  }
  return made;
}

void ChatTemplate::read_config(const Json& config) {
  const std::string where = origin_ + "/tokenizer_config.json";
  read_tokens(config, where, special_tokens_);
  const auto found = config.find("chat_template");
  if (found == config.end() || found->is_null()) return;
  if (found->is_string()) {
    templates_.emplace("default", jinja::Template::parse(found->get<std::string>(), where + ": chat_template"));
    return;
  }
  const auto is_named = [](const Json& one) {
    return one.is_object() && one.contains("name") && one["name"].is_string() && one.contains("template") &&
           one["template"].is_string();
  };
  if (!found->is_array() || !std::all_of(found->begin(), found->end(), is_named))
    refuse(where, ": chat_template must be a text or a list of {\"name\", \"template\"}, got ", json_excerpt(*found));
  for (const Json& one : *found) {
    const std::string name = one["name"].get<std::string>();
    templates_.insert_or_assign(
        name, jinja::Template::parse(one["template"].get<std::string>(), where + ": chat_template " + name));
  }
}

std::vector<std::string> ChatTemplate::names() const {
  std::vector<std::string> found;
  for (const auto& [name, unused] : templates_) found.push_back(name);
  return found;
}

const jinja::Template& ChatTemplate::choose(const Conversation& conversation) const {
  std::string name = conversation.name.value_or("default");
  if (!conversation.name && !conversation.tools.is_null() && templates_.contains("tool_use")) name = "tool_use";
  const auto found = templates_.find(name);
  if (found == templates_.end())
    refuse(origin_, ": has no chat template '", name, "', it has ", join(names(), ", "), did_you_mean(name, names()));
  return found->second;
}

ChatTemplate::Rendered ChatTemplate::apply(const Conversation& conversation, const jinja::Budget& budget,
                                           const jinja::Clock& clock) const {
  const jinja::Template& chosen = choose(conversation);
  require_objects(conversation.messages, "messages");
  if (conversation.messages.empty()) refuse("messages must hold at least one message");
  if (!conversation.tools.is_null()) require_objects(conversation.tools, "tools");
  if (!conversation.documents.is_null()) require_objects(conversation.documents, "documents");
  if (!conversation.extra.is_object()) refuse("the variables of a chat template must be an object");
  if (conversation.continue_final_message && conversation.add_generation_prompt)
    refuse(
        "continue_final_message and add_generation_prompt exclude each other: one goes on with a message, the other "
        "begins one");

  Json messages = Json::array();
  for (const Json& message : conversation.messages) messages.push_back(with_reasoning(without_nulls(message)));
  std::optional<FinalMessage> last;
  if (conversation.continue_final_message)
    last.emplace(messages, *conversation.continue_final_message, chosen.source());

  Json variables = special_tokens_;
  for (const auto& [name, value] : conversation.extra.items()) variables[name] = value;
  variables["messages"] = std::move(messages);
  variables["tools"] = conversation.tools;
  variables["documents"] = conversation.documents;
  variables["add_generation_prompt"] = conversation.add_generation_prompt;
  Rendered rendered = chosen.render(variables, budget, clock);
  if (last) {
    last->cut(rendered.text);
    std::erase_if(rendered.generated, [&](const auto& range) { return range.second > rendered.text.size(); });
  }
  return rendered;
}

}  // namespace trireme::data
