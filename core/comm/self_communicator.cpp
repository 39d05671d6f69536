#include <cstring>
#include <deque>
#include <map>
#include <utility>

#include "core/base/error.h"
#include "core/comm/communicator.h"

namespace trireme {
namespace {

// Sends to self wait for the receive of the same tag, and the other way round, in the order in which they were started.
class SelfCommunicator final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }

  std::unique_ptr<Transfer> start_send(const void* bytes, std::size_t size, int peer, const Tag& tag) override {
    expect_self(peer, "send to");
    auto side = std::make_shared<Side>(Side{const_cast<void*>(bytes), size});
    pair_up(waiting_[tag.value].sends, waiting_[tag.value].receives, side, /*side_receives=*/false, tag.value);
    return std::make_unique<SelfTransfer>(std::move(side), tag.value);
  }

  std::unique_ptr<Transfer> start_receive(void* bytes, std::size_t size, int peer, const Tag& tag) override {
    expect_self(peer, "receive from");
    auto side = std::make_shared<Side>(Side{bytes, size});
    pair_up(waiting_[tag.value].receives, waiting_[tag.value].sends, side, /*side_receives=*/true, tag.value);
    return std::make_unique<SelfTransfer>(std::move(side), tag.value);
  }

  void barrier() override {}
  void broadcast(void*, std::size_t, int root, const Site&) override { expect_self(root, "broadcast from"); }
  void all_gather(const void* mine, std::size_t size, void* all, const Site&) override {
    if (size > 0) std::memmove(all, mine, size);  // mine may already be the one slot of all
  }
  void all_max(std::int64_t*, std::size_t) override {}
  void check() override {}

 private:
  struct Side {
    void* bytes;
    std::size_t size;
    bool done = false;
  };
  using Queue = std::deque<std::shared_ptr<Side>>;
  struct Waiting {
    Queue sends, receives;
  };

  class SelfTransfer final : public Transfer {
   public:
    SelfTransfer(std::shared_ptr<Side> side, int tag) : side_(std::move(side)), tag_(tag) {}
    bool done() override { return side_->done; }
    void wait() override {
      // Nobody else can start the other side: waiting would never end.
      if (!side_->done) throw Error(ErrorCode::kBug, "transfer to self with tag ", tag_, " has no other side yet");
    }

   private:
    std::shared_ptr<Side> side_;
    int tag_;
  };

  static void expect_self(int peer, const char* operation) {
    if (peer != 0) throw Error(ErrorCode::kBug, "cannot ", operation, " rank ", peer, " in a world of one");
  }

  static void pair_up(Queue& own, Queue& other, const std::shared_ptr<Side>& side, bool side_receives, int tag) {
    if (other.empty()) {
      own.push_back(side);
      return;
    }
    const auto match = other.front();
    const Side& from = side_receives ? *match : *side;
    const Side& to = side_receives ? *side : *match;
    if (from.size != to.size)
      throw Error(ErrorCode::kBug, "transfer to self with tag ", tag, " sends ", from.size, " bytes and receives ",
                  to.size);
    other.pop_front();
    if (from.size > 0) std::memmove(to.bytes, from.bytes, from.size);
    side->done = match->done = true;
  }

  std::map<int, Waiting> waiting_;
};

}  // namespace

std::unique_ptr<Communicator> make_self_communicator() { return std::make_unique<SelfCommunicator>(); }

}  // namespace trireme
