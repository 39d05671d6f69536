#include "data/chat/answers.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme::data {
namespace {

using Json = ChatTemplate::Json;
using Ranges = std::vector<std::pair<std::size_t, std::size_t>>;

class Line {
 public:
  Line(std::string_view text, const ChatTemplate& chat, const std::function<std::string()>& place)
      : chat_(chat), place_(place), json_(Json::parse(text, nullptr, /*allow_exceptions=*/false)) {
    if (json_.is_discarded()) fail("no valid JSON");
    if (!json_.is_object()) fail("no JSON object");
  }

  std::vector<AnswerText> answers() const {
    if (json_.contains("messages")) {
      if (json_.contains("prompt") || json_.contains("completion"))
        fail("\"messages\" and \"prompt\" or \"completion\" do not go together");
      return conversation(messages("messages"), 0);
    }
    if (!json_.contains("completion")) fail("\"messages\", or \"prompt\" and \"completion\", are missing");
    return whole("completion");
  }

  std::vector<AnswerText> preferences() const {
    std::vector<AnswerText> both;
    for (const char* const key : {"chosen", "rejected"}) {
      std::vector<AnswerText> texts = whole(key);
      both.push_back(std::move(texts.back()));  // where each answer has a text, a preference is about the last one
    }
    if (both[0].text == both[1].text) fail("\"chosen\" and \"rejected\" are the same");
    return both;
  }

 private:
  [[noreturn]] void fail(const auto&... what) const { throw Error(ErrorCode::kBadInput, place_(), ": ", what...); }

  // The prompt, and behind it what `key` holds: both texts, or both messages.
  std::vector<AnswerText> whole(const char* key) const {
    const bool has_prompt = json_.contains("prompt");
    if (!json_.contains(key)) fail("\"", key, "\" is missing");
    const Json& answer = json_[key];
    if (answer.is_array()) {
      Json all = has_prompt ? messages("prompt") : Json::array();
      const std::size_t first = has_prompt ? all.size() : common_messages(key);
      for (const Json& message : messages(key)) all.push_back(message);
      return conversation(all, first);
    }
    if (!has_prompt) fail("\"prompt\" is missing");
    AnswerText text{.text = this->text("prompt")};
    const std::size_t begin = text.text.size();
    text.text += this->text(key);
    if (text.text.size() == begin) fail("\"", key, "\" is empty");
    text.answers.emplace_back(begin, text.text.size());
    return {std::move(text)};
  }

  // Without a prompt, what both conversations of a preference begin with is one.
  std::size_t common_messages(const char* key) const {
    const char* const other_key = key == std::string_view("chosen") ? "rejected" : "chosen";
    if (!json_.contains(other_key)) return 0;
    const Json other = messages(other_key), own = messages(key);
    std::size_t count = 0;
    while (count < own.size() && count < other.size() && own[count] == other[count]) ++count;
    return count;
  }

  std::string text(const char* key) const {
    const Json& value = json_[key];
    if (!value.is_string()) fail("\"", key, "\" is ", value.type_name(), ", not text as the other part is");
    return value.get<std::string>();
  }

  Json messages(const char* key) const {
    const Json& list = json_[key];
    if (!list.is_array()) fail("\"", key, "\" is ", list.type_name(), ", not a list of messages");
    for (const Json& message : list)
      if (!message.is_object() || !message.contains("role") || !message["role"].is_string())
        fail("\"", key, "\" has a message that is no object with a \"role\"");
    return list;
  }

  static bool is_answer(const Json& message) { return message["role"] == "assistant"; }
  bool is_learnt(const Json& message) const {
    if (!is_answer(message) || !message.contains("weight")) return is_answer(message);
    const Json& weight = message["weight"];
    if (weight != 0 && weight != 1) fail("\"weight\" of a message must be 0 or 1, got ", weight.dump());
    return weight == 1;
  }

  ChatTemplate::Rendered rendered(const Json& messages, std::size_t count, bool asks) const {
    ChatTemplate::Conversation conversation{.add_generation_prompt = asks};
    for (std::size_t i = 0; i < count; ++i) {
      conversation.messages.push_back(messages[i]);
      conversation.messages.back().erase("weight");
    }
    if (json_.contains("tools") && !json_["tools"].is_null()) conversation.tools = json_["tools"];
    if (json_.contains("chat_template_kwargs") && !json_["chat_template_kwargs"].is_null()) {
      conversation.extra = json_["chat_template_kwargs"];
      if (!conversation.extra.is_object()) fail("\"chat_template_kwargs\" is no object");
    }
    try {
      return chat_.apply(conversation);
    } catch (const jinja::TemplateRaised& error) {
      fail("the chat template refuses it: ", error.message());
    } catch (const Error& error) {
      fail(error.what());
    }
  }

  /// @param first  messages before are no answers
  std::vector<AnswerText> conversation(const Json& messages, std::size_t first) const {
    std::vector<std::size_t> answers;  // all of them
    for (std::size_t i = 0; i < messages.size(); ++i)
      if (is_answer(messages[i])) answers.push_back(i);
    const auto learnt = [&](std::size_t i) { return i >= first && is_learnt(messages[i]); };
    if (std::ranges::none_of(answers, learnt)) fail("there is no answer to learn: no message of an assistant");
    ChatTemplate::Rendered whole = rendered(messages, messages.size(), false);
    AnswerText all{.text = std::move(whole.text), .is_rendered = true};
    if (!whole.generated.empty()) {
      // The template says what is generated, an answer after the other.
      if (whole.generated.size() == answers.size()) {
        for (std::size_t k = 0; k < answers.size(); ++k)
          if (learnt(answers[k])) all.answers.push_back(whole.generated[k]);
      } else if (std::ranges::all_of(answers, learnt)) {
        all.answers = std::move(whole.generated);
      } else {
        fail("the chat template marks ", whole.generated.size(), " stretches as generated for ", answers.size(),
             " answers, so it is not known which of them are to be left out");
      }
      std::ranges::sort(all.answers);
      return {std::move(all)};
    }
    std::vector<AnswerText> alone;
    bool is_one = true;  // earlier answers stand in the whole as they were given
    for (const std::size_t i : answers) {
      if (!learnt(i)) continue;
      const std::string prompt = rendered(messages, i, true).text;
      AnswerText given{.text = i + 1 == messages.size() ? all.text : rendered(messages, i + 1, false).text,
                       .is_rendered = true,
                       .drops_space = true};
      if (!given.text.starts_with(prompt) || given.text.size() == prompt.size())
        fail("what the chat template makes of message ", i + 1,
             " does not begin with its prompt for an answer; mark answers in it with {% generation %}");
      given.answers.emplace_back(prompt.size(), given.text.size());
      is_one &= all.text.starts_with(given.text);
      if (is_one) all.answers.push_back(given.answers[0]);
      alone.push_back(std::move(given));
    }
    all.drops_space = true;
    if (is_one) return {std::move(all)};
    return alone;
  }

  const ChatTemplate& chat_;
  const std::function<std::string()>& place_;
  const Json json_;
};

}  // namespace

std::vector<AnswerText> AnswerLines::texts(std::string_view line, const std::function<std::string()>& place) const {
  const Line parsed(line, chat_, place);
  return of_ == Labels::Of::kPreferences ? parsed.preferences() : parsed.answers();
}

LabelledText encoded(const AnswerText& text, const Tokenizer& tokenizer, const EncodingOptions& options) {
  const bool adds = options.add_special_tokens && !text.is_rendered;
  const Encoding encoding =
      tokenizer.encode_with_spans(text.text, {.special = options.special, .add_special_tokens = adds});
  LabelledText result{.ids = encoding.ids, .labels = std::vector<std::int64_t>(encoding.ids.size(), -1)};
  const std::size_t behind = adds ? tokenizer.suffix().size() : 0;
  std::size_t i = 0;
  for (const auto& [from, to] : text.answers) {
    if (from == to) continue;
    while (i < encoding.ids.size() && encoding.spans[i].end <= from) ++i;
    std::size_t end = i, behind_special = i;
    for (; end < encoding.ids.size() && encoding.spans[end].begin < to; ++end)
      if (tokenizer.is_special(encoding.ids[end])) behind_special = end + 1;
    // White space that a template writes behind the token that ends an answer is given by nobody.
    if (text.drops_space && behind_special > i) {
      const std::size_t begin = encoding.spans[behind_special - 1].end;
      if (begin >= to ||
          std::string_view(text.text).substr(begin, to - begin).find_first_not_of(" \t\r\n") == std::string_view::npos)
        end = behind_special;
    }
    for (; i < end; ++i)
      if (encoding.spans[i].end > encoding.spans[i].begin) result.labels[i] = encoding.ids[i];
  }
  for (std::size_t k = encoding.ids.size() - behind; k < encoding.ids.size(); ++k) result.labels[k] = encoding.ids[k];
  if (!text.is_rendered) {
    const auto end = tokenizer.end_of_text();
    if (end && (result.ids.empty() || result.ids.back() != *end)) {
      result.ids.push_back(*end);
      result.labels.push_back(*end);
    }
  }
  return result;
}

}  // namespace trireme::data
