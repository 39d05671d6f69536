// A line of JSON with answers. The first byte says of what: bit 0 of preferences, bits 1 and 2 which chat template.
// What is accepted has answers within its text, and rows of tokens give them back.
#include <array>

#include "core/base/text.h"
#include "data/chat/answers.h"
#include "data/corpus/testing.h"
#include "tests/fuzz/fuzz.h"

using namespace trireme::data;
using trireme::fuzz::require;

namespace {

// With marks, without them, and one that writes earlier answers otherwise later.
const std::array<ChatTemplate, 4>& templates() {
  const auto parsed = [](const char* text) { return ChatTemplate::parse({.chat_template = text}, "template"); };
  static const std::array<ChatTemplate, 4> all = {
      ChatTemplate::parse({}, "default"),
      parsed("{% for m in messages %}<{{ m.role }}>{{ m.content }}<|endoftext|>\n{% endfor %}"
             "{% if add_generation_prompt %}<assistant>{% endif %}"),
      parsed("{% for m in messages %}<{{ m.role }}>{% if loop.last %}{{ m.reasoning }}{% endif %}{{ m.content }}"
             "<|endoftext|>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"),
      parsed("{{ tools }}{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
             "{% endgeneration %}{% else %}{{ m }}{% endif %}{% endfor %}")};
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto of = (data[0] & 1) != 0 ? Labels::Of::kPreferences : Labels::Of::kAnswers;
  const AnswerLines lines(templates()[(data[0] >> 1) & 3], of);
  const std::string_view line(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::vector<AnswerText> texts;
  if (!trireme::fuzz::accepts([&] { texts = lines.texts(line, [] { return std::string("line 1"); }); })) return 0;
  require(of == Labels::Of::kAnswers ? !texts.empty() : texts.size() == 2, "a preference is two texts");
  static const Tokenizer tokenizer = testing::bytes_tokenizer();
  for (const AnswerText& text : texts) {
    require(trireme::is_utf8(text.text), "what JSON holds is UTF-8", text.text);
    std::size_t end = 0;
    for (const auto& [from, to] : text.answers) {
      require(from >= end && from <= to && to <= text.text.size(), "answers lie in the text, one behind the other");
      end = to;
    }
    const LabelledText made = encoded(text, tokenizer, {});
    require(made.labels.size() == made.ids.size(), "as many labels as tokens");
    const LabelStorage storage{tokenizer.vocabulary_size(), {of, {}}};
    if (made.ids.size() < 2) continue;
    const LabelledText back = storage.text(storage.row(made), "row");
    require(back.ids == made.ids && back.labels == made.labels, "a row gives back what it took");
    for (std::size_t i = 0; i < made.ids.size(); ++i)
      require(made.labels[i] == -1 || made.labels[i] == made.ids[i], "what is learnt is the token");
  }
  return 0;
}
