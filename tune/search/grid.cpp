#include "tune/search/grid.h"

#include <algorithm>

#include "core/base/error.h"
#include "tune/search/note.h"
#include "tune/search/untried.h"

namespace trireme::tune {
namespace {

class Grid final : public Method {
 public:
  explicit Grid(const Space& space) : space_(space), untried_(space) {
    for (const Dimension& dimension : space.dimensions())
      if (dimension.levels() == 0)
        throw Error(ErrorCode::kUsage, "parameter ", dimension.name, " has no end of values, and method grid tries ",
                    "each: give it values, a step (q) or whole numbers, or choose another method, as random or bayes");
  }

  std::optional<Suggestion> suggest(const History& history, std::int64_t) override {
    untried_.see(history);
    std::int64_t begin = 0;
    for (const Observation& observation : history)
      begin = std::max(begin, note_number(observation.note).value_or(-1) + 1);
    std::int64_t at = 0;
    std::optional<Suggestion> found;
    space_.for_each_point([&](const Point& point) {
      if (at >= begin && untried_.contains(point)) found = Suggestion{point, std::to_string(at)};
      ++at;
      return !found;
    });
    if (at == 0) throw Error(ErrorCode::kUsage, "constraints leave nothing: no point of the grid obeys them all");
    return found;
  }

 private:
  const Space& space_;
  Untried untried_;
};

}  // namespace

std::unique_ptr<Method> make_grid(const MethodContext& context) { return std::make_unique<Grid>(context.space); }

}  // namespace trireme::tune
