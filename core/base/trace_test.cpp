#include "core/base/trace.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

namespace trireme {
namespace {

TEST(Trace, HoldsWhatItsThreadDidWhileItWasCurrent) {
  Trace trace;
  {
    const TraceSpan before(kTraceCompute, "before");
  }
  Trace::make_current(&trace);
  {
    const TraceSpan outer(kTraceCompute, "forward", {{{"micro-batch", 3}, {"chunk", 1}}});
    const TraceSpan inner(kTraceWait, "weights");
    std::thread([] { const TraceSpan elsewhere(kTraceCompute, "elsewhere"); }).join();
  }
  const Trace::Nanoseconds now = Trace::now();
  trace.add_beside("data", "sums", now, now + 2500, {{{"bytes", 4096}}});
  Trace::make_current(nullptr);
  {
    const TraceSpan after(kTraceCompute, "after");
  }

  const auto events = nlohmann::json::parse(trace.to_json("rank 5", 5)).at("traceEvents");
  ASSERT_EQ(events.size(), 5u);
  EXPECT_EQ(events[0]["args"]["name"], "rank 5");
  EXPECT_EQ(events[1]["name"], "weights");  // the inner one ends first
  EXPECT_EQ(events[1]["cat"], kTraceWait);
  EXPECT_EQ(events[2]["name"], "forward");
  EXPECT_EQ(events[2]["args"], nlohmann::json({{"chunk", 1}, {"micro-batch", 3}}));
  EXPECT_LE(events[2]["ts"], events[1]["ts"]);
  EXPECT_GE(events[2]["ts"].get<double>() + events[2]["dur"].get<double>(),
            events[1]["ts"].get<double>() + events[1]["dur"].get<double>());
  EXPECT_EQ(events[3]["ph"], "b");
  EXPECT_EQ(events[3]["args"]["bytes"], 4096);
  EXPECT_EQ(events[4]["ph"], "e");
  EXPECT_EQ(events[4]["id"], events[3]["id"]);
  EXPECT_NEAR(events[4]["ts"].get<double>() - events[3]["ts"].get<double>(), 2.5, 1e-3);
}

}  // namespace
}  // namespace trireme
