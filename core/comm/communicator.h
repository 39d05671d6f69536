#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/comm/site.h"

namespace trireme {

/// A send or receive under way. Its bytes must stay where they are until it is done. Dropping one that is not done is
/// allowed only while an error passes.
class Transfer {
 public:
  virtual ~Transfer() = default;
  /// Gives the transport a chance to move bytes; true once finished. @throws Error kPeerLost
  virtual bool done() = 0;
  /// @throws Error kPeerLost
  virtual void wait() = 0;
};

/// A group of ranks that exchange bytes. Passed in, never global; a world of one is the same code.
///
/// All ranks make the same calls in the same order; point-to-point transfers pair up by (peer, tag) in the order in
/// which they were started. Calls come from one thread at a time. What a collective computes never depends on the
/// transport's own reduction order: there is none here but the exact ones (maximum, gather).
///
/// Every call may throw Error kPeerLost, with the rank and the operation in the message, once a rank is gone or has
/// failed; then nothing but leaving is left to do (run_job() in job.h does it).
class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  virtual std::unique_ptr<Transfer> start_send(const void* bytes, std::size_t size, int peer, const Tag& tag) = 0;
  virtual std::unique_ptr<Transfer> start_receive(void* bytes, std::size_t size, int peer, const Tag& tag) = 0;

  virtual void barrier() = 0;
  virtual void broadcast(void* bytes, std::size_t size, int root, const Site& site) = 0;
  /// @param all  size() * `size` bytes, those of rank r at r * `size`
  virtual void all_gather(const void* mine, std::size_t size, void* all, const Site& site) = 0;
  /// Element by element, in place.
  virtual void all_max(std::int64_t* values, std::size_t count) = 0;

  /// Throws kPeerLost when a loss or failure elsewhere has been noticed; costs one atomic read. For long computations.
  virtual void check() = 0;

  /// The texts of all ranks, in rank order; they may differ in length.
  std::vector<std::string> all_gather_text(const std::string& mine);

 protected:
  Communicator() = default;
};

/// Tags that sites may have; groups and transports have those above.
inline constexpr int kMostTag = 32000;

/// Some ranks of another communicator, in the order given, for calls that concern them alone. Its tags are the other's:
/// who uses both at the same time takes different ones.
/// @param members  ranks of `whole`, which outlives the group; this rank is one of them, and each is named once
/// @throws Error kBug
std::unique_ptr<Communicator> make_group(Communicator& whole, std::vector<int> members);

/// A world of one.
std::unique_ptr<Communicator> make_self_communicator();

}  // namespace trireme
