#include "train/report/run_log.h"

#include <gmock/gmock.h>

#include <cmath>

#include "core/base/error.h"
#include "train/report/testing.h"

namespace trireme::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::RunFolder;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;

TEST(RunLog, ReadsWhatTheTrainerWrote) {
  const RunFolder folder;
  folder.train(20);
  const RunLog log(folder.path());
  ASSERT_EQ(log.records(), 20u);
  EXPECT_EQ(log.steps().back(), 20);
  EXPECT_EQ(log.column(&StepRecord::loss)[3], 2.5);
  EXPECT_EQ(log.column(&StepRecord::memory_bytes)[0], 3 << 20);
  EXPECT_GT(log.times()[0], 1.7e9);
  EXPECT_THAT(log.evaluations().at("validation").steps, ElementsAre(10, 20));
  EXPECT_THAT(log.evaluations().at("validation").loss, ElementsAre(2, 1.5));
  ASSERT_THAT(log.events(), SizeIs(1)) << "samples are no events here";
  EXPECT_EQ(*log.events()[0].find("ranks"), "2");
  EXPECT_EQ(log.samples().at(1).text, "</script> 20");
  EXPECT_EQ(log.config_number("steps"), 100);
  EXPECT_TRUE(std::isnan(log.config_number("model.family")));
}

TEST(RunLog, EverySetOfAnEvaluationIsKeptApart) {
  const RunFolder folder;
  folder.put(
      "events.jsonl",
      "{\"event\":\"eval\",\"step\":5,\"eval_loss\":3,\"eval_bits_per_byte\":1}\n"
      "{\"event\":\"eval\",\"step\":9,\"eval_loss\":2,\"eval\":{\"validation\":{\"loss\":2,\"bits_per_byte\":0.5},"
      "\"web\":{\"loss\":4,\"bits_per_byte\":2,\"ema_loss\":3.5,\"ema_bits_per_byte\":1.5},\"odd\":7}}\n");
  const RunLog log(folder.path());
  const auto& sets = log.evaluations();
  ASSERT_THAT(sets, SizeIs(3));
  EXPECT_THAT(sets.at("validation").steps, ElementsAre(5, 9));
  EXPECT_THAT(sets.at("validation").bits_per_byte, ElementsAre(1, 0.5));
  EXPECT_THAT(sets.at("web").loss, ElementsAre(4));
  EXPECT_THAT(sets.at("web (averaged weights)").loss, ElementsAre(3.5));
}

TEST(RunLog, ALineThatIsBeingWrittenIsReadOnceItIsWhole) {
  const RunFolder folder;
  folder.put("metrics.jsonl", "{\"step\":1,\"loss\":2}\n{\"step\":2,\"lo");
  RunLog log(folder.path());
  EXPECT_THAT(log.steps(), ElementsAre(1));
  EXPECT_FALSE(log.update());
  folder.append("metrics.jsonl", "ss\":3}\n");
  EXPECT_TRUE(log.update());
  EXPECT_THAT(log.column(&StepRecord::loss), ElementsAre(2, 3));
}

TEST(RunLog, AResumeThatReplacesTheFilesIsReadAnew) {
  const RunFolder folder;
  folder.train(20);
  RunLog log(folder.path());
  const models::RunOwner owner = models::RunOwner::claim(folder.path());
  RunFiles files(&owner, 5);
  files.event(names::kResumed, 5);
  EXPECT_TRUE(log.update());
  EXPECT_EQ(log.records(), 5u);
  EXPECT_THAT(log.evaluations(), IsEmpty());
  EXPECT_THAT(log.samples(), IsEmpty());
  EXPECT_EQ(log.events().back().name, names::kResumed);
}

TEST(RunLog, WhatIsNoRecordIsPassedOverAndWhatARecordLacksIsMissing) {
  const RunFolder folder;
  folder.put("metrics.jsonl",
             "not JSON\n[1]\n{\"loss\":1}\n{\"step\":\"1\"}\n\n{\"step\":1,\"loss\":null}\n{\"step\":2,\"mfu\":0.5}\n");
  folder.put("events.jsonl", "{\"step\":1}\nnonsense\n{\"event\":7,\"step\":1}\n");
  folder.put("config.yaml", "steps: [unclosed\n");
  const RunLog log(folder.path());
  EXPECT_THAT(log.steps(), ElementsAre(1, 2));
  EXPECT_TRUE(std::isnan(log.column(&StepRecord::loss)[0]));
  EXPECT_EQ(log.column(&StepRecord::mfu)[1], 0.5);
  EXPECT_THAT(log.events(), SizeIs(1));
  EXPECT_EQ(log.lines_passed_over(), 7);
  EXPECT_THAT(log.config(), IsEmpty());
}

TEST(RunLog, ALineLongerThanWhatIsReadAtOnceIsOneLine) {
  const RunFolder folder;
  folder.put("events.jsonl", "{\"event\":\"note\",\"step\":1,\"x\":\"" + std::string(3 << 20, 'x') +
                                 "\"}\n{\"event\":\"end\",\"step\":2}\n");
  const RunLog log(folder.path());
  ASSERT_THAT(log.events(), SizeIs(2));
  EXPECT_EQ(log.events()[0].find("x")->size(), std::size_t{3} << 20);
}

TEST(RunLog, AFolderThatIsNoRunIsNamed) {
  const RunFolder folder;
  EXPECT_THAT([&] { RunLog(folder.path()); }, ThrowsMessage<Error>(HasSubstr("is no run")));
}

}  // namespace
}  // namespace trireme::train
