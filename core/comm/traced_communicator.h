#pragma once
#include <memory>

#include "core/comm/communicator.h"

namespace trireme {

/// The same communicator, whose messages are in the trace that is current where they begin, each with its site, peer
/// and bytes; and whose waits are. Without a trace it costs one call more.
/// @param inner  outlives it and all transfers
/// @param name   the category of its messages; a constant
std::unique_ptr<Communicator> make_traced(Communicator& inner, const char* name);

}  // namespace trireme
