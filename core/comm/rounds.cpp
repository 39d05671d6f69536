#include "core/comm/rounds.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace trireme::rounds {
namespace {

// Above this the copy of the rotated order costs more than the rounds that it saves.
constexpr std::size_t kFewBytes = 16384;

int ahead(const Messages& m, int step) { return (m.rank + step) % m.size; }
int behind(const Messages& m, int step) { return (m.rank - step + m.size) % m.size; }

void exchange(const Messages& m, const void* out, std::size_t out_size, int to, void* in, std::size_t in_size,
              int from) {
  const auto receive = m.receive(in, in_size, from), send = m.send(out, out_size, to);
  receive->wait();
  send->wait();
}

void gather_in_place(const Messages& m, const void* mine, std::size_t share, void* all) {
  const auto ranks = static_cast<std::size_t>(m.size), me = static_cast<std::size_t>(m.rank);
  auto* slots = static_cast<char*>(all);
  std::memcpy(slots + me * share, mine, share);
  if (share <= kFewBytes && ranks > 2) {
    // Bruck et al. 1997, "Efficient algorithms for all-to-all communications", section 4: rounds double what a rank
    // has, in the order of ranks from its own on.
    std::rotate(slots, slots + me * share, slots + ranks * share);
    for (std::size_t step = 1; step < ranks; step *= 2) {
      const std::size_t bytes = std::min(step, ranks - step) * share;
      exchange(m, slots, bytes, behind(m, static_cast<int>(step)), slots + step * share, bytes,
               ahead(m, static_cast<int>(step)));
    }
    std::rotate(slots, slots + (ranks - me) * share, slots + ranks * share);
    return;
  }
  // A ring: each share passes every rank once, which is the least that a rank can receive.
  for (std::size_t step = 0; step + 1 < ranks; ++step) {
    const std::size_t out = (me + ranks - step) % ranks, in = (out + ranks - 1) % ranks;
    exchange(m, slots + out * share, share, ahead(m, 1), slots + in * share, share, behind(m, 1));
  }
}

}  // namespace

Messages over(Communicator& communicator, const Tag& tag) {
  return {communicator.rank(), communicator.size(),
          [&communicator, tag](const void* bytes, std::size_t size, int peer) {
            return communicator.start_send(bytes, size, peer, tag);
          },
          [&communicator, tag](void* bytes, std::size_t size, int peer) {
            return communicator.start_receive(bytes, size, peer, tag);
          }};
}

// Dissemination: in round k every rank hears of 2^k more, so that after the last it has heard of all.
// Hensgen, Finkel, Manber 1988, "Two algorithms for barrier synchronization".
void barrier(const Messages& m) {
  for (int step = 1; step < m.size; step *= 2) exchange(m, nullptr, 0, ahead(m, step), nullptr, 0, behind(m, step));
}

// A binomial tree: the ranks, counted from the root, halve the distance to the next receiver in each round.
void broadcast(const Messages& m, void* bytes, std::size_t size, int root) {
  const int place = (m.rank - root + m.size) % m.size;
  int step = 1;
  while (step < m.size && (place & step) == 0) step *= 2;
  if (place != 0) m.receive(bytes, size, behind(m, step))->wait();
  std::vector<std::unique_ptr<Transfer>> sends;
  for (step /= 2; step >= 1; step /= 2)
    if (place + step < m.size) sends.push_back(m.send(bytes, size, ahead(m, step)));
  for (const auto& send : sends) send->wait();
}

// The messages use memory of our own. It is given up when an error passes: the transport may still send from it while
// the job ends, and the caller's is gone by then.
void all_gather(const Messages& m, const void* mine, std::size_t share, void* all) {
  if (share == 0) return barrier(m);
  auto held = std::make_unique<std::vector<char>>(share * static_cast<std::size_t>(m.size));
  try {
    gather_in_place(m, mine, share, held->data());
  } catch (...) {
    static_cast<void>(held.release());
    throw;
  }
  std::memcpy(all, held->data(), held->size());
}

// Values of all ranks, then the maximum of each.
void all_max(const Messages& m, std::int64_t* values, std::size_t count) {
  constexpr std::size_t kBlock = 4096;
  const auto ranks = static_cast<std::size_t>(m.size);
  std::vector<std::int64_t> all(std::min(count, kBlock) * ranks);
  while (count > 0) {
    const std::size_t block = std::min(count, kBlock);
    all_gather(m, values, block * sizeof *values, all.data());
    for (std::size_t i = 0; i < block; ++i)
      for (std::size_t r = 0; r < ranks; ++r) values[i] = std::max(values[i], all[r * block + i]);
    values += block;
    count -= block;
  }
}

}  // namespace trireme::rounds
