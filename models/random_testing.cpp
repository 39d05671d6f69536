// LibTorch seeds its generator from the system's entropy. Each test starts it anew from one seed, so that what fails
// once fails again, alone or among others.
#include <ATen/Context.h>
#include <gtest/gtest.h>

namespace {

class SeedEachTest : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override { at::manual_seed(1); }
};

[[maybe_unused]] const bool registered = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new SeedEachTest);  // GoogleTest deletes it
  return true;
}();

}  // namespace
