#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "core/comm/communicator.h"

/// Collectives as rounds of messages between pairs of ranks, for communicators that have nothing better: every wait
/// then ends at a fault.
namespace trireme::rounds {

/// How ranks 0 to size - 1 reach each other. Messages of a pair keep their order.
struct Messages {
  int rank = 0, size = 1;
  std::function<std::unique_ptr<Transfer>(const void* bytes, std::size_t size, int peer)> send;
  std::function<std::unique_ptr<Transfer>(void* bytes, std::size_t size, int peer)> receive;
};

/// Those that a communicator sends under one tag. It outlives them.
Messages over(Communicator& communicator, const Tag& tag);

void barrier(const Messages& messages);
void broadcast(const Messages& messages, void* bytes, std::size_t size, int root);
void all_gather(const Messages& messages, const void* mine, std::size_t share, void* all);
/// Meant for a few flags and counts, and cut into blocks where more.
void all_max(const Messages& messages, std::int64_t* values, std::size_t count);

}  // namespace trireme::rounds
