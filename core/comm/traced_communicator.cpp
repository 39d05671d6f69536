#include "core/comm/traced_communicator.h"

#include <utility>

#include "core/base/trace.h"

namespace trireme {
namespace {

class TracedTransfer final : public Transfer {
 public:
  TracedTransfer(std::unique_ptr<Transfer> inner, const char* category, const char* site, const TraceNumbers& numbers)
      : inner_(std::move(inner)), category_(category), site_(site), numbers_(numbers), begin_(Trace::now()) {}

  bool done() override {
    if (is_done_) return true;
    if (!inner_->done()) return false;
    is_done_ = true;
    if (Trace* trace = Trace::current()) trace->add_beside(category_, site_, begin_, Trace::now(), numbers_);
    return true;
  }
  void wait() override {
    if (done()) return;
    {
      const TraceSpan span(kTraceWait, site_, numbers_);
      inner_->wait();
    }
    done();
  }

 private:
  const std::unique_ptr<Transfer> inner_;
  const char *const category_, *const site_;
  const TraceNumbers numbers_;
  const Trace::Nanoseconds begin_;
  bool is_done_ = false;
};

class TracedCommunicator final : public Communicator {
 public:
  TracedCommunicator(Communicator& inner, const char* name) : inner_(inner), name_(name) {}

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  std::unique_ptr<Transfer> start_send(const void* bytes, std::size_t size, int peer, const Tag& tag) override {
    return traced(inner_.start_send(bytes, size, peer, tag), tag, "to", peer, size);
  }
  std::unique_ptr<Transfer> start_receive(void* bytes, std::size_t size, int peer, const Tag& tag) override {
    return traced(inner_.start_receive(bytes, size, peer, tag), tag, "from", peer, size);
  }
  void barrier() override {
    const TraceSpan span(kTraceWait, "barrier");
    inner_.barrier();
  }
  void broadcast(void* bytes, std::size_t size, int root, const Site& site) override {
    const TraceSpan span(kTraceWait, site.name(), {{{"bytes", static_cast<std::int64_t>(size)}}});
    inner_.broadcast(bytes, size, root, site);
  }
  void all_gather(const void* mine, std::size_t share, void* all, const Site& site) override {
    const TraceSpan span(kTraceWait, site.name(), {{{"bytes", static_cast<std::int64_t>(share)}}});
    inner_.all_gather(mine, share, all, site);
  }
  void all_max(std::int64_t* values, std::size_t count) override {
    const TraceSpan span(kTraceWait, "all-max");
    inner_.all_max(values, count);
  }
  void check() override { inner_.check(); }

 private:
  std::unique_ptr<Transfer> traced(std::unique_ptr<Transfer> transfer, const Tag& tag, const char* direction, int peer,
                                   std::size_t size) const {
    if (!Trace::current()) return transfer;
    return std::make_unique<TracedTransfer>(
        std::move(transfer), name_, tag.site->name(),
        TraceNumbers{{{direction, peer}, {"bytes", static_cast<std::int64_t>(size)}}});
  }

  Communicator& inner_;
  const char* const name_;
};

}  // namespace

std::unique_ptr<Communicator> make_traced(Communicator& inner, const char* name) {
  return std::make_unique<TracedCommunicator>(inner, name);
}

}  // namespace trireme
