#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/comm/communicator.h"
#include "core/comm/rounds.h"

namespace trireme {
namespace {

// Two groups that share a pair of ranks may use one tag: all ranks make the same calls in the same order, and messages
// of a pair keep theirs.
constexpr int kGroupTag = kMostTag + 1;

class GroupCommunicator final : public Communicator {
 public:
  GroupCommunicator(Communicator& whole, std::vector<int> members) : whole_(whole), members_(std::move(members)) {
    const auto mine = std::ranges::find(members_, whole.rank());
    if (mine == members_.end()) throw Error(ErrorCode::kBug, "rank ", whole.rank(), " is not in its own group");
    rank_ = static_cast<int>(mine - members_.begin());
    if (std::set(members_.begin(), members_.end()).size() != members_.size())
      throw Error(ErrorCode::kBug, "a group names a rank twice");
    for (const int member : members_)
      if (member < 0 || member >= whole.size())
        throw Error(ErrorCode::kBug, "a group names rank ", member, " of ", whole.size());
  }

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(members_.size()); }

  std::unique_ptr<Transfer> start_send(const void* bytes, std::size_t size, int peer, const Tag& tag) override {
    return whole_.start_send(bytes, size, member(peer), tag);
  }
  std::unique_ptr<Transfer> start_receive(void* bytes, std::size_t size, int peer, const Tag& tag) override {
    return whole_.start_receive(bytes, size, member(peer), tag);
  }

  void barrier() override { rounds::barrier(messages(kControl)); }
  void broadcast(void* bytes, std::size_t size, int root, const Site& site) override {
    rounds::broadcast(messages(site), bytes, size, root);
  }
  void all_gather(const void* mine, std::size_t size, void* all, const Site& site) override {
    rounds::all_gather(messages(site), mine, size, all);
  }
  void all_max(std::int64_t* values, std::size_t count) override { rounds::all_max(messages(kControl), values, count); }
  void check() override { whole_.check(); }

 private:
  int member(int rank) const { return members_.at(static_cast<std::size_t>(rank)); }
  rounds::Messages messages(const Site& site) {
    whole_.check();
    return rounds::over(*this, Tag::reserved(site, kGroupTag));
  }

  Communicator& whole_;
  const std::vector<int> members_;
  int rank_ = 0;
};

}  // namespace

std::unique_ptr<Communicator> make_group(Communicator& whole, std::vector<int> members) {
  return std::make_unique<GroupCommunicator>(whole, std::move(members));
}

}  // namespace trireme
