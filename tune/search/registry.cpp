#include "tune/search/registry.h"

#include <array>

#include "core/base/error.h"
#include "core/base/text.h"
#include "tune/search/bayes.h"
#include "tune/search/cma_es.h"
#include "tune/search/evolution.h"
#include "tune/search/grid.h"
#include "tune/search/qmc.h"
#include "tune/search/random.h"
#include "tune/search/tpe.h"

namespace trireme::tune {
namespace {

struct Entry {
  const char* name;
  std::unique_ptr<Method> (*make)(const MethodContext& context);
};

constexpr std::array kMethods = {
    Entry{"grid", make_grid},          Entry{"random", make_random}, Entry{"qmc", make_qmc},
    Entry{"bayes", make_bayes},        Entry{"tpe", make_tpe},       Entry{"cma-es", make_cma_es},
    Entry{"evolution", make_evolution}};

}  // namespace

std::unique_ptr<Method> make_method(const std::string& name, const MethodContext& context) {
  if (context.objectives == 0) throw Error(ErrorCode::kUsage, "a search needs at least one objective, got 0");
  for (const Entry& entry : kMethods)
    if (name == entry.name) return entry.make(context);
  const auto names = method_names();
  throw Error(ErrorCode::kUsage, "unknown method ", name, did_you_mean(name, names), "; there are ", join(names, ", "));
}

std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kMethods) names.emplace_back(entry.name);
  return names;
}

}  // namespace trireme::tune
