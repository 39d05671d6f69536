#pragma once
#include "core/comm/communicator.h"

namespace trireme {

/// For tests of communicators: what they send is of no particular place.
inline const Site kTestSite("test", Site::Numbers::kNone, 0, kMostTag + 1);

}  // namespace trireme
