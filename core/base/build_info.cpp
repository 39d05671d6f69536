#include "core/base/build_info.h"

#include <hdf5.h>

#include "trireme_revision.h"  // made by scripts/cmake/revision.cmake at every build, rewritten only when it changes

namespace trireme {

std::string version_text() { return TRIREME_VERSION " (" TRIREME_REVISION ")"; }

std::string build_text() {
  return "LibTorch " TRIREME_TORCH_VERSION "\nMPI " TRIREME_MPI_VERSION
         "\nNCCL none (built without)\nHDF5 " H5_VERS_INFO "\nCompiler " __VERSION__ "\n";
}

}  // namespace trireme
