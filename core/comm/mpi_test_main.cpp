#include <gtest/gtest.h>

#include <cstdio>

#include "core/comm/job.h"
#include "core/comm/mpi_test.h"

namespace trireme {
namespace {

Communicator* world = nullptr;

// Rank 0 reports as usual; of the others only what fails is of interest.
class FailuresOnly final : public testing::EmptyTestEventListener {
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::fprintf(stderr, "rank %d: %s:%d: %s\n", world->rank(), result.file_name() ? result.file_name() : "?",
                 result.line_number(), result.message());
  }
};

}  // namespace

Communicator& test_world() { return *world; }

}  // namespace trireme

int main(int count, char** values) {
  testing::InitGoogleTest(&count, values);
  return trireme::run_job([](trireme::Communicator& comm) {
    trireme::world = &comm;
    if (comm.rank() != 0) {
      auto& listeners = testing::UnitTest::GetInstance()->listeners();
      delete listeners.Release(listeners.default_result_printer());
      listeners.Append(new trireme::FailuresOnly);
    }
    return RUN_ALL_TESTS();
  });
}
