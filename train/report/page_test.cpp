#include "train/report/page.h"

#include <gmock/gmock.h>

#include "core/base/text.h"
#include "train/report/testing.h"

namespace trireme::train {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::RunFolder;

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

json data_of(const std::string& page) {
  const std::string begin = "id=\"data\">";
  const std::size_t from = page.find(begin) + begin.size();
  return json::parse(page.substr(from, page.find("</script>", from) - from));
}

TEST(ReportPage, HoldsTheRunAndAsksForNothing) {
  const RunFolder folder;
  folder.train(20);
  const RunLog log(folder.path());
  const std::string page = report_page({&log}, 0);
  const json run = data_of(page)["runs"][0];
  EXPECT_EQ(run["curves"]["loss"]["mean"][3], 2.5);
  EXPECT_EQ(run["curves"]["eval/validation/loss"]["mean"], json::array({2, 1.5}));
  EXPECT_EQ(run["tokens_per_step"], 64);
  EXPECT_EQ(run["share"], 0.2);
  EXPECT_EQ(run["samples"][1]["text"], "</script> 20");
  EXPECT_THAT(page, Not(HasSubstr("http://www.w3.org/1999/xhtml")));
  EXPECT_EQ(count(page, "https://"), 0u);
  EXPECT_EQ(count(page, "http://"), 1u) << "the name of SVG's elements, which nobody fetches";
  EXPECT_EQ(count(page, " src="), 0u);
}

TEST(ReportPage, TextOfARunEndsNoElement) {
  const RunFolder folder;
  folder.train(10);  // its config and its sample hold </script>
  const RunLog log(folder.path());
  const std::string page = report_page({&log}, 0);
  EXPECT_EQ(count(page, "<script"), 2u);
  EXPECT_EQ(count(page, "</script>"), 2u);
  EXPECT_THAT(data_of(page)["runs"][0]["config"].dump(), HasSubstr("</script><b>"));
}

TEST(ReportPage, EveryCurveThatAChartNamesIsThere) {
  const RunFolder folder;
  folder.train(10);
  const RunLog log(folder.path());
  const json data = data_of(report_page({&log}, 0));
  for (const json& chart : data["charts"])
    for (const json& series : chart["series"]) EXPECT_TRUE(data["runs"][0]["curves"].contains(series["key"])) << series;
}

TEST(ReportPage, ARunWithoutARecordAndANameThatIsNotUtf8) {
  const RunFolder folder;
  const auto odd = folder.path() / "run-\xFF<b>";
  std::filesystem::create_directory(odd);
  std::ofstream(odd / "events.jsonl") << "{\"event\":\"start\",\"step\":0,\"time\":1}\n";
  const RunLog log(odd);
  const std::string page = report_page({&log, &log}, 0);
  EXPECT_TRUE(is_utf8(page));
  const json data = data_of(page);
  EXPECT_EQ(data["runs"][1]["name"], "run-\xEF\xBF\xBD<b>");
  EXPECT_EQ(data["runs"][0]["curves"]["loss"]["x"].size(), 0u);
  EXPECT_THAT(report_page({&log}, 0), HasSubstr("<title>run-\xEF\xBF\xBD&lt;b>"));
}

}  // namespace
}  // namespace trireme::train
