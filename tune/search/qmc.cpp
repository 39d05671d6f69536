#include "tune/search/qmc.h"

#include <algorithm>

#include "tune/search/note.h"
#include "tune/search/random.h"
#include "tune/search/sobol.h"
#include "tune/search/untried.h"

namespace trireme::tune {
namespace {

class Qmc final : public Method {
 public:
  explicit Qmc(const MethodContext& context)
      : space_(context.space), sobol_(space_.size(), context.seed), untried_(space_), random_(context) {}

  std::optional<Suggestion> suggest(const History& history, std::int64_t trial) override {
    untried_.see(history);
    std::int64_t next = 0;
    for (const Observation& observation : history)
      next = std::max(next, note_number(observation.note).value_or(-1) + 1);
    const std::int64_t attempts =
        static_cast<std::int64_t>(std::min<std::uint64_t>(untried_.distinct().value_or(kMost), kMost));
    for (std::int64_t index = next; index < next + attempts; ++index) {
      const Point point = space_.draw(sobol_.point(static_cast<std::uint64_t>(index)));
      if (untried_.contains(point)) return Suggestion{point, std::to_string(index)};
    }
    return random_.suggest(history, trial);
  }

 private:
  static constexpr std::uint64_t kMost = 10'000;  // points in a row that are not allowed or were tried
  const Space& space_;
  Sobol sobol_;
  Untried untried_;
  RandomSearch random_;
};

}  // namespace

std::unique_ptr<Method> make_qmc(const MethodContext& context) { return std::make_unique<Qmc>(context); }

}  // namespace trireme::tune
