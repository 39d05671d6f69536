// A template, and behind a NUL its variables as JSON. Whatever they say, rendering ends within its budget, gives UTF-8,
// and gives the same again.
#include "core/base/text.h"
#include "data/jinja/template.h"
#include "tests/fuzz/fuzz.h"

using namespace trireme::data;
using trireme::fuzz::require;

namespace {

constexpr jinja::Budget kBudget{.steps = 300'000, .output_bytes = 1 << 20, .memory_bytes = 4 << 20};

std::chrono::system_clock::time_point fixed_time() { return std::chrono::system_clock::from_time_t(1'700'000'000); }

nlohmann::ordered_json variables_of(std::string_view text) {
  auto parsed = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_object()) return parsed;
  return {{"messages",
           {{{"role", "system"}, {"content", "é <b>"}},
            {{"role", "user"}, {"content", " a\nb "}},
            {{"role", "assistant"}, {"content", {{{"type", "text"}, {"text", "x"}}}}}}},
          {"tools", {{{"name", "f"}, {"parameters", {{"n", 1}, {"x", 2.5}, {"none", nullptr}}}}}},
          {"add_generation_prompt", true}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [source, text] = trireme::fuzz::halves(data, size);
  const std::string owned(source);
  const auto variables = variables_of(text);
  std::string rendered, again;
  const auto render = [&](std::string& into) {
    return trireme::fuzz::accepts([&] {
      const auto made = jinja::Template::parse(owned, "template").render(variables, kBudget, fixed_time);
      require(made.text.size() <= kBudget.output_bytes, "the budget of the output is kept");
      require(trireme::is_utf8(made.text), "what is rendered is UTF-8", made.text);
      for (const auto& [from, to] : made.generated)
        require(from <= to && to <= made.text.size(), "ranges lie in the text", made.text);
      into = made.text;
    });
  };
  const bool accepted = render(rendered);
  require(render(again) == accepted && again == rendered, "a template renders the same again", rendered);
  return 0;
}
