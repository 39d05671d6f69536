#include "tune/trial/metric_records.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "core/base/random.h"

namespace trireme::tune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsNan;
using testing::Optional;

MetricRecords read(const std::string& text, const std::vector<std::string>& names = {"loss"}) {
  std::vector<Objective> objectives;
  for (const std::string& name : names) objectives.push_back({name});
  MetricRecords records(objectives);
  records.read(text);
  records.end();
  return records;
}

TEST(MetricRecords, TheLastLineWithAllObjectivesCounts) {
  EXPECT_THAT(read("starting\n{\"loss\": 3}\n{\"loss\": 2.5}\ndone\n").values(), Optional(ElementsAre(2.5)));
  EXPECT_THAT(read("{\"loss\": 1, \"speed\": 7}\n{\"loss\": 2}\n{\"speed\": 8}\n", {"speed", "loss"}).values(),
              Optional(ElementsAre(7, 1)));
  EXPECT_THAT(read("  {\"loss\": 4} \r\n").values(), Optional(ElementsAre(4)));
  EXPECT_THAT(read("{\"loss\": 4}\n{\"loss\": 5}").values(), Optional(ElementsAre(5)));
}

TEST(MetricRecords, WhatIsNoRecordIsPassedOver) {
  for (const char* line :
       {"", "loss: 3", "{\"loss\": 3", "\"loss\": 3}", "{\"loss\": \"3\"}", "{\"loss\": true}", "{\"loss\": [3]}",
        "{\"loss\": {\"x\": 3}}", "{\"Loss\": 3}", "[{\"loss\": 3}]", "{}", "{", "{\"loss\": 3}{\"loss\": 4}"})
    EXPECT_EQ(read(line + std::string("\n")).values(), std::nullopt) << line;
}

TEST(MetricRecords, ALastRecordThatHasNoNumberHasNoResult) {
  for (const char* last : {"\"diverged\"", "false", "[1]", "\"3\""}) {
    const auto records = read("{\"loss\": 3}\n{\"loss\": " + std::string(last) + "}\nmore\n");
    EXPECT_EQ(records.values(), std::nullopt) << last;
    EXPECT_EQ(records.missing(), "loss is " + std::string(last) + " in the last record, which is no number");
    EXPECT_TRUE(records.has_record());
  }
  const auto mended = read("{\"loss\": false}\n{\"loss\": 3}\n{\"loss\": {\"x\": 1}}\n{\"step\": 4}\n");
  EXPECT_THAT(mended.values(), Optional(ElementsAre(3)));
  EXPECT_FALSE(read("{\"step\": 4}\n").has_record());
}

TEST(MetricRecords, DottedNamesAreMembersOrNested) {
  EXPECT_THAT(read("{\"eval\": {\"validation\": {\"loss\": 2}}}\n", {"eval.validation.loss"}).values(),
              Optional(ElementsAre(2)));
  EXPECT_THAT(read("{\"eval.validation\": {\"loss\": 3}}\n", {"eval.validation.loss"}).values(),
              Optional(ElementsAre(3)));
  EXPECT_THAT(read("{\"eval.loss\": 4, \"eval\": {\"loss\": 5}}\n", {"eval.loss"}).values(), Optional(ElementsAre(4)));
  EXPECT_THAT(read("{\"verl\\u00fcst\": 6}\n", {"verlüst"}).values(), Optional(ElementsAre(6)));
}

TEST(MetricRecords, KnowsTheWordsForWhatIsNotFinite) {
  for (const char* word : {"NaN", "null", "\"nan\"", "\"NaN\"", "\"-nan\""})
    EXPECT_THAT(read("{\"text\": \"a \\\" NaN\", \"loss\": " + std::string(word) + "}\n").values(),
                Optional(ElementsAre(IsNan())))
        << word;
  for (const char* word : {"Infinity", "\"inf\"", "\"Infinity\"", "\"+inf\"", "1e999", "10e+400"})
    EXPECT_THAT(read("{\"loss\": " + std::string(word) + "}\n").values(), Optional(ElementsAre(INFINITY))) << word;
  for (const char* word : {"-Infinity", "\"-inf\"", "\"-Infinity\"", "-1e999"})
    EXPECT_THAT(read("{\"loss\": " + std::string(word) + "}\n").values(), Optional(ElementsAre(-INFINITY))) << word;
}

TEST(MetricRecords, APieceMayEndAnywhere) {
  const std::string text = "x\n{\"loss\": 1, \"a\": \"}\\n{\"}\n\n{\"loss\": NaN}\r\n{\"loss\": 2}\n{\"loss\": 3";
  const RandomStream random(7, "pieces");
  for (std::uint64_t round = 0; round < 200; ++round) {
    MetricRecords records({{"loss"}});
    for (std::size_t at = 0, piece = 0; at < text.size(); ++piece) {
      const std::size_t size = random.bits(piece, round) % 9;
      records.read(std::string_view(text).substr(at, size));
      at += size;
    }
    records.end();
    ASSERT_THAT(records.values(), Optional(ElementsAre(2))) << round;
  }
}

// Whatever bytes come: neither a crash nor a result that is not there.
TEST(MetricRecords, DamagedLinesAreNoRecords) {
  const std::string line = "{\"step\": 12, \"eval\": {\"loss\": 0.25, \"text\": \"a\\u00e9\\\"\"}, \"more\": [1, NaN]}";
  ASSERT_THAT(read(line, {"eval.loss"}).values(), Optional(ElementsAre(0.25)));
  const RandomStream random(3, "damage");
  for (std::uint64_t round = 0; round < 20'000; ++round) {
    std::string damaged = line;
    for (std::uint64_t change = 0; change <= random.bits(round) % 4; ++change)
      damaged[random.bits(round, 2 * change + 1) % damaged.size()] =
          static_cast<char>(random.bits(round, 2 * change + 2) % 256);
    const auto records = read(damaged, {"eval.loss"});
    ASSERT_EQ(records.values().value_or(std::vector<double>{0}).size(), 1u);
    (void)records.missing();
  }
}

TEST(MetricRecords, ALineWithoutEndTakesNoMemory) {
  MetricRecords records({{"loss"}});
  records.read("{\"loss\": 1}\n{\"loss\": 2, \"more\": \"");
  const std::string piece(1 << 16, 'x');
  for (int i = 0; i < 4096; ++i) records.read(piece);  // 256 MiB
  records.read("\"}\n");
  EXPECT_THAT(records.values(), Optional(ElementsAre(1)));
  records.read("{\"loss\": 3}\n");
  EXPECT_THAT(records.values(), Optional(ElementsAre(3)));
}

TEST(MetricRecords, SaysWhatTheLastObjectHadInstead) {
  EXPECT_EQ(read("{\"step\": 1, \"eval\": {\"los\": 2}}\n", {"eval.loss"}).missing(),
            "no record with a number for eval.loss; did you mean eval.los?; the last one has eval.los, step");
  EXPECT_EQ(read("{\"loss\": 1}\n", {"loss", "speed"}).missing(),
            "no record with a number for speed; the last one has loss");
  EXPECT_EQ(read("nothing\n").missing(), "");
}

TEST(MetricRecords, AFileIsReadToItsEnd) {
  const std::string path = testing::TempDir() + "trireme-records-" + std::to_string(::getpid());
  std::ofstream file(path);
  for (int step = 0; step < 10'000; ++step)
    file << "{\"step\": " << step << (step % 100 == 0 ? ", \"loss\": " + std::to_string(step) : "") << "}\n";
  file.close();
  MetricRecords records({{"loss"}});
  records.read_file(path);
  ::unlink(path.c_str());
  EXPECT_THAT(records.values(), Optional(ElementsAre(9900)));
  MetricRecords none({{"loss"}});
  none.read_file(path);
  none.read_file("/");
  EXPECT_EQ(none.values(), std::nullopt);
}

}  // namespace
}  // namespace trireme::tune
