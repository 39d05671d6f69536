#include "tune/search/registry.h"

#include <gmock/gmock.h>

#include "core/base/error.h"
#include "tune/search/search_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(Registry, HasTheNamesOfSweepFiles) {
  EXPECT_THAT(method_names(), ElementsAre("grid", "random", "qmc", "bayes", "tpe", "cma-es", "evolution"));
}

TEST(Registry, NamesTheNearestAndAllOthers) {
  const Space space({real("x", 0, 1)});
  EXPECT_THAT([&] { make_method("randon", {space}); },
              ThrowsMessage<Error>(AllOf(HasSubstr("randon"), HasSubstr("did you mean random?"), HasSubstr("cma-es"))));
}

TEST(Registry, RefusesASearchForNothing) {
  const Space space({real("x", 0, 1)});
  EXPECT_THAT([&] { make_method("random", {space, 0, 0}); }, ThrowsMessage<Error>(HasSubstr("at least one objective")));
}

}  // namespace
}  // namespace trireme::tune
