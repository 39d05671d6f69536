#pragma once
#include <memory>

#include "core/base/random.h"
#include "tune/search/method.h"
#include "tune/search/untried.h"

namespace trireme::tune {

/// Draws from the distributions of the space. What any other method has to beat, and what several of them begin with
/// and come back to when they have no better idea. Bergstra & Bengio 2012, "Random search for hyper-parameter
/// optimization", JMLR 13, say why it beats a grid.
///
/// A draw depends on the seed, the trial's number and, in a space of finitely many points, on what has been tried: none
/// is drawn twice.
class RandomSearch final : public Method {
 public:
  /// Any space and any number of objectives will do.
  explicit RandomSearch(const MethodContext& context);
  std::optional<Suggestion> suggest(const History& history, std::int64_t trial) override;

 private:
  const Space& space_;
  RandomStream random_;
  Untried untried_;
};

std::unique_ptr<Method> make_random(const MethodContext& context);

}  // namespace trireme::tune
