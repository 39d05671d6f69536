#pragma once
#include "core/comm/communicator.h"

namespace trireme {

/// For tests that run on several ranks (MPI_TESTS of trireme_library): the ranks of the job. The program's main comes
/// from mpi_test_main.cpp, which runs all tests inside run_job(). All ranks run the same tests in the same order; a
/// test that leaves early on one rank (a failed ASSERT before a collective) keeps the others waiting, so prefer EXPECT.
Communicator& test_world();

}  // namespace trireme
