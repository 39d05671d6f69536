// A sweep file as trireme-tune reads it: what is accepted says the same when the text that was kept is read again, and
// its command can be filled in.
#include <algorithm>

#include "tests/fuzz/fuzz.h"
#include "tune/sweep/command.h"
#include "tune/sweep/sweep.h"

using trireme::fuzz::require;
using namespace trireme::tune;

namespace {

bool same(const Condition& a, const Condition& b) {
  return a.parent == b.parent && a.values == b.values && a.min == b.min && a.max == b.max && a.where == b.where;
}

bool same(const Dimension& a, const Dimension& b) {
  return a.name == b.name && a.kind == b.kind && a.scale == b.scale && a.min == b.min && a.max == b.max &&
         a.mean == b.mean && a.deviation == b.deviation && a.step == b.step && a.choices == b.choices &&
         a.weights == b.weights && a.where == b.where &&
         std::equal(a.when.begin(), a.when.end(), b.when.begin(), b.when.end(),
                    [](const Condition& x, const Condition& y) { return same(x, y); });
}

bool same(const Space& a, const Space& b) {
  return std::equal(a.dimensions().begin(), a.dimensions().end(), b.dimensions().begin(), b.dimensions().end(),
                    [](const Dimension& x, const Dimension& y) { return same(x, y); }) &&
         std::equal(a.constraints().begin(), a.constraints().end(), b.constraints().begin(), b.constraints().end(),
                    [](const Constraint& x, const Constraint& y) { return x.text() == y.text(); });
}

bool same(const Parameters& a, const Parameters& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Parameter& x, const Parameter& y) { return x.name == y.name && x.value == y.value; });
}

bool same(const Sweep& a, const Sweep& b) {
  return a.name == b.name && a.description == b.description && a.method == b.method && a.acquisition == b.acquisition &&
         same(a.space, b.space) &&
         std::equal(a.objectives.begin(), a.objectives.end(), b.objectives.begin(), b.objectives.end(),
                    [](const auto& x, const auto& y) { return x.name == y.name && x.maximize == y.maximize; }) &&
         std::equal(a.enqueue.begin(), a.enqueue.end(), b.enqueue.begin(), b.enqueue.end(),
                    [](const auto& x, const auto& y) { return same(x, y); }) &&
         a.trials == b.trials && a.jobs == b.jobs && a.timeout_seconds == b.timeout_seconds &&
         a.trial_timeout_seconds == b.trial_timeout_seconds && a.retries == b.retries && a.seed == b.seed &&
         a.command == b.command && a.shell_command == b.shell_command && a.base == b.base && a.ranks == b.ranks &&
         a.threads == b.threads && a.text == b.text;
}

bool reads(std::string_view text, Sweep& sweep) {
  return trireme::fuzz::accepts([&] {
    try {
      sweep = parse_sweep(text, "sweep.yaml");
    } catch (const trireme::Error& error) {
      require(error.code() == trireme::ErrorCode::kUsage, "a sweep file is refused as wrong usage", error.what());
      throw;
    }
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Sweep sweep, again;
  if (!reads(text, sweep)) return 0;
  require(sweep.text == text, "the text is kept", text);
  require(reads(sweep.text, again), "what was kept is accepted", text);
  require(same(sweep, again), "what was kept says the same", text);

  const Point middle = sweep.space.snap(Point(sweep.space.size(), 0.5));
  const Parameters parameters = sweep.space.parameters(middle);
  const std::vector<std::string> words = expand_command(sweep, {3, parameters, "runs/3"});
  require(words.empty() == (sweep.command.empty() && sweep.shell_command.empty()), "a command has words", text);
  for (const std::string& word : words)
    require(word.find('\0') == std::string::npos, "a word of a command can be handed to a program", text);
  return 0;
}
