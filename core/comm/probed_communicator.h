#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

#include "core/comm/communicator.h"

namespace trireme {

/// What goes wrong with all messages of one site.
struct PlantedFault {
  enum class Kind : std::uint8_t {
    kSkip,        ///< they are not sent, and what would have received them keeps what it holds
    kWrongGroup,  ///< they go to, and come from, another rank each: on 4 ranks what is 1, 2, 3 ahead is 2, 3, 1
    kTwice,       ///< their numbers are counted twice
  };
  const Site* site = nullptr;
  Kind kind = Kind::kSkip;
};

/// A communicator in front of another, for checks: a message that does not come is an error and no endless wait, and to
/// check the check a fault can be planted. What follows it is as fast as the other, collectives excepted.
class ProbedCommunicator final : public Communicator {
 public:
  /// Bytes of an element of Site::Numbers::kCompute: 2 is bfloat16, 4 float32. Masters are float32.
  using ComputeBytes = std::function<std::size_t()>;

  /// @param inner     outlives this and all transfers
  /// @param patience  so long may a message take; then waiting for it throws Error kIo, with site, rank and size
  ProbedCommunicator(Communicator& inner, std::chrono::milliseconds patience, std::optional<PlantedFault> fault = {},
                     ComputeBytes compute_bytes = {});

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  std::unique_ptr<Transfer> start_send(const void* bytes, std::size_t size, int peer, const Tag& tag) override;
  std::unique_ptr<Transfer> start_receive(void* bytes, std::size_t size, int peer, const Tag& tag) override;
  void barrier() override;
  void broadcast(void* bytes, std::size_t size, int root, const Site& site) override;
  void all_gather(const void* mine, std::size_t size, void* all, const Site& site) override;
  void all_max(std::int64_t* values, std::size_t count) override;
  void check() override { inner_.check(); }

  /// Whether any message of the planted site has come by.
  bool has_struck() const { return struck_; }

 private:
  bool is_faulty(const Tag& tag, PlantedFault::Kind kind);
  int other(int peer, int step) const;

  Communicator& inner_;
  const std::chrono::milliseconds patience_;
  const std::optional<PlantedFault> fault_;
  const ComputeBytes compute_bytes_;
  bool struck_ = false;
};

}  // namespace trireme
