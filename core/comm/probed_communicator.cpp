#include "core/comm/probed_communicator.h"

#include <bit>
#include <cstring>
#include <string>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "core/comm/rounds.h"

namespace trireme {
namespace {

using Clock = std::chrono::steady_clock;

// Beside the one of groups, whose members may use it at the same time.
constexpr int kProbeTag = kMostTag + 2;

class ProbedTransfer final : public Transfer {
 public:
  ProbedTransfer(std::unique_ptr<Transfer> inner, std::chrono::milliseconds patience, std::string what,
                 std::function<void()> then)
      : inner_(std::move(inner)), patience_(patience), what_(std::move(what)), then_(std::move(then)) {}

  bool done() override {
    if (!inner_) return true;
    if (inner_->done()) {
      inner_.reset();
      if (then_) then_();
      return true;
    }
    const auto now = Clock::now();
    if (since_ == Clock::time_point{}) since_ = now;
    if (now - since_ > patience_)
      throw Error(ErrorCode::kIo, what_, " has not been done for ", std::chrono::duration<double>(patience_).count(),
                  " s");
    return false;
  }

  void wait() override {
    while (!done()) std::this_thread::yield();
  }

 private:
  std::unique_ptr<Transfer> inner_;  // null: done, or skipped
  const std::chrono::milliseconds patience_;
  const std::string what_;
  const std::function<void()> then_;
  Clock::time_point since_{};  // asked for the first time
};

template <class T, class Twice>
void for_each_number(void* bytes, std::size_t size, Twice twice) {
  for (std::size_t at = 0; at + sizeof(T) <= size; at += sizeof(T)) {
    T number;
    std::memcpy(&number, static_cast<char*>(bytes) + at, sizeof number);
    number = twice(number);
    std::memcpy(static_cast<char*>(bytes) + at, &number, sizeof number);
  }
}

void double_numbers(void* bytes, std::size_t size, std::size_t item) {
  if (item == sizeof(double)) {
    for_each_number<double>(bytes, size, [](double number) { return 2 * number; });
  } else if (item == sizeof(float)) {
    for_each_number<float>(bytes, size, [](float number) { return 2 * number; });
  } else {
    for_each_number<std::uint16_t>(bytes, size, [](std::uint16_t upper) {
      const float number = 2 * std::bit_cast<float>(std::uint32_t{upper} << 16);
      return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(number) >> 16);
    });
  }
}

}  // namespace

ProbedCommunicator::ProbedCommunicator(Communicator& inner, std::chrono::milliseconds patience,
                                       std::optional<PlantedFault> fault, ComputeBytes compute_bytes)
    : inner_(inner), patience_(patience), fault_(fault), compute_bytes_(std::move(compute_bytes)) {}

bool ProbedCommunicator::is_faulty(const Tag& tag, PlantedFault::Kind kind) {
  if (!fault_ || fault_->site != tag.site) return false;
  struck_ = true;
  return fault_->kind == kind;
}

// The rank that is reached instead of `peer`: one further on, where `step` is 1, and never this one.
int ProbedCommunicator::other(int peer, int step) const {
  const int ranks = size(), ahead = (peer - rank() + ranks) % ranks;
  if (ahead == 0 || ranks < 3) return peer;
  const int moved = (ahead - 1 + step + ranks - 1) % (ranks - 1) + 1;
  return (rank() + moved) % ranks;
}

std::unique_ptr<Transfer> ProbedCommunicator::start_send(const void* bytes, std::size_t size, int peer,
                                                         const Tag& tag) {
  std::unique_ptr<Transfer> inner;
  if (is_faulty(tag, PlantedFault::Kind::kWrongGroup)) peer = other(peer, 1);
  std::string what =
      "sending " + std::to_string(size) + " bytes of " + tag.site->name() + " to rank " + std::to_string(peer);
  if (!is_faulty(tag, PlantedFault::Kind::kSkip)) inner = inner_.start_send(bytes, size, peer, tag);
  return std::make_unique<ProbedTransfer>(std::move(inner), patience_, std::move(what), nullptr);
}

std::unique_ptr<Transfer> ProbedCommunicator::start_receive(void* bytes, std::size_t size, int peer, const Tag& tag) {
  std::unique_ptr<Transfer> inner;
  std::function<void()> then;
  // Who is 2 ahead of one rank has it 2 behind: both sides miss each other by the same.
  if (is_faulty(tag, PlantedFault::Kind::kWrongGroup)) peer = other(peer, -1);
  if (is_faulty(tag, PlantedFault::Kind::kTwice)) {
    const Site::Numbers numbers = tag.site->numbers();
    const std::size_t item = numbers == Site::Numbers::kFloat64   ? sizeof(double)
                             : numbers == Site::Numbers::kCompute ? compute_bytes_()
                                                                  : sizeof(float);
    then = [bytes, size, item] { double_numbers(bytes, size, item); };
  }
  std::string what =
      "receiving " + std::to_string(size) + " bytes of " + tag.site->name() + " from rank " + std::to_string(peer);
  if (!is_faulty(tag, PlantedFault::Kind::kSkip)) inner = inner_.start_receive(bytes, size, peer, tag);
  return std::make_unique<ProbedTransfer>(std::move(inner), patience_, std::move(what), std::move(then));
}

namespace {

// Collectives as rounds of messages of its own, which have patience and may be faulty.
rounds::Messages messages(ProbedCommunicator& probed, const Site& site) {
  return rounds::over(probed, Tag::reserved(site, kProbeTag));
}

}  // namespace

void ProbedCommunicator::barrier() { rounds::barrier(messages(*this, kControl)); }
void ProbedCommunicator::broadcast(void* bytes, std::size_t size_of_all, int root, const Site& site) {
  rounds::broadcast(messages(*this, site), bytes, size_of_all, root);
}
void ProbedCommunicator::all_gather(const void* mine, std::size_t share, void* all, const Site& site) {
  rounds::all_gather(messages(*this, site), mine, share, all);
}
void ProbedCommunicator::all_max(std::int64_t* values, std::size_t count) {
  rounds::all_max(messages(*this, kControl), values, count);
}

}  // namespace trireme
