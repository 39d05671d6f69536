// Chat templates for chat_template_oracle.py. A file holds a case a line, a JSON object:
//
//   {"template": TEXT, "variables": {...}}                   a template alone
//   {"files": {"tokenizer_config": TEXT, ...}, "messages": [...], "tools": ..., "documents": ..., "extra": {...},
//    "add_generation_prompt": BOOL, "continue_final_message": TEXT, "name": TEXT}      a model's
//
// Each gives a line: {"text": TEXT, "generated": [[FROM, TO], ...]}, {"raised": TEXT} or {"error": TEXT}. The clock
// stands at 2024-07-26 09:05:03.000042 in the zone of TZ.
//
//   chat_template_dump CASES
#include <ctime>
#include <fstream>
#include <iostream>

#include "core/base/strict_json.h"
#include "data/chat/chat_template.h"

namespace trireme::data {
namespace {

using Json = nlohmann::ordered_json;

std::chrono::system_clock::time_point fixed_time() {
  std::tm local{};
  local.tm_year = 124;
  local.tm_mon = 6;
  local.tm_mday = 26;
  local.tm_hour = 9;
  local.tm_min = 5;
  local.tm_sec = 3;
  local.tm_isdst = -1;
  return std::chrono::system_clock::from_time_t(std::mktime(&local)) + std::chrono::microseconds(42);
}

std::optional<std::string> text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::nullopt;
  return found->get<std::string>();
}

ChatTemplate::Rendered render(const Json& item) {
  if (item.contains("template"))
    return jinja::Template::parse(item["template"].get<std::string>(), "template")
        .render(item["variables"], {}, fixed_time);
  const Json& files = item["files"];
  ChatTemplate::Files texts{
      text_of(files, "tokenizer_config"), text_of(files, "special_tokens_map"), text_of(files, "chat_template"), {}};
  if (files.contains("additional"))
    for (const auto& [name, text] : files["additional"].items()) texts.additional[name] = text.get<std::string>();
  ChatTemplate::Conversation conversation;
  conversation.messages = item["messages"];
  conversation.tools = item.value("tools", Json());
  conversation.documents = item.value("documents", Json());
  conversation.extra = item.value("extra", Json::object());
  conversation.add_generation_prompt = item.value("add_generation_prompt", false);
  conversation.continue_final_message = text_of(item, "continue_final_message");
  conversation.name = text_of(item, "name");
  return ChatTemplate::parse(texts, "model").apply(conversation, {}, fixed_time);
}

int run(const std::string& path) {
  std::ifstream cases(path);
  for (std::string line; std::getline(cases, line);) {
    Json answer;
    try {
      const auto [text, generated] = render(Json::parse(line));
      answer = {{"text", text}, {"generated", generated}};
    } catch (const jinja::TemplateRaised& raised) {
      answer = {{"raised", raised.message()}};
    } catch (const Error& error) {
      answer = {{"error", error.what()}};
    }
    std::cout << json_text(answer) << "\n";
  }
  return kExitDone;
}

}  // namespace
}  // namespace trireme::data

int main(int argc, char** argv) {
  try {
    std::ios::sync_with_stdio(false);
    return trireme::data::run(argc > 1 ? argv[1] : "");
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return trireme::kExitFailed;
  }
}
