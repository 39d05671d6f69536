#pragma once
#include <string>

namespace trireme {

/// "0.1.0 (a1b2c3d)": version and git revision, "+" behind it when the tree had changes.
std::string version_text();
/// Versions of the libraries this was built with, a line each: LibTorch, MPI, NCCL, HDF5, and the compiler.
std::string build_text();

}  // namespace trireme
