#include "data/corpus/inputs.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <fstream>

#include "core/base/error.h"
#include "core/base/files.h"
#include "data/corpus/documents.h"
#include "data/corpus/testing.h"

namespace trireme::data {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class FindInputs : public ::testing::Test {
 protected:
  void put(const std::string& name, const std::string& content = "x") {
    fs::create_directories((directory_ / name).parent_path());
    std::ofstream(directory_ / name) << content;
  }
  /// What is found, relative to the directory.
  std::vector<std::string> found(const std::string& name) {
    std::vector<std::string> names;
    for (const Input& input : find_inputs({(directory_ / name).string()}))
      names.push_back(fs::path(input.name).lexically_relative(directory_.path()).string());
    return names;
  }

  testing::TemporaryDirectory directory_;
};

TEST_F(FindInputs, TheNameTellsTheFormat) {
  for (const auto& [name, json_lines, zstd] :
       std::vector<std::tuple<std::string, bool, bool>>{{"a.txt", false, false},
                                                        {"README", false, false},
                                                        {"a.jsonl", true, false},
                                                        {"a.ndjson", true, false},
                                                        {"a.txt.zst", false, true},
                                                        {"a.zst", false, true},
                                                        {"a.jsonl.zst", true, true}}) {
    put(name);
    const Input input = find_inputs({(directory_ / name).string()}).at(0);
    EXPECT_EQ(input.format.json_lines, json_lines) << name;
    EXPECT_EQ(input.format.zstd, zstd) << name;
    EXPECT_EQ(input.bytes, 1u) << name;
  }
  EXPECT_TRUE(find_inputs({"-"}, "jsonl.zst")[0].format.json_lines);
  EXPECT_TRUE(find_inputs({"-"}, "txt.zst")[0].format.zstd);
  EXPECT_EQ(find_inputs({"-"})[0].name, "standard input");
  EXPECT_EQ(find_inputs({"-"})[0].bytes, std::nullopt);
}

TEST_F(FindInputs, ADirectoryIsAllTextBelowItInOrderOfPath) {
  for (const char* name : {"d/b.txt", "d/a/z.jsonl", "d/a/.hidden.txt", "d/.git/c.txt", "d/a.txt.zst",
                           "d/c/x.ndjson.zst", "d/notes.md", "d/e.gz", "d/B.txt", "d/10.txt", "d/9.txt"})
    put(name);
  fs::create_directory_symlink(directory_ / "d/a", directory_ / "d/link");
  fs::create_symlink(directory_ / "d/b.txt", directory_ / "d/linked.txt");
  EXPECT_THAT(found("d"), ElementsAre("d/10.txt", "d/9.txt", "d/B.txt", "d/a/z.jsonl", "d/a.txt.zst", "d/b.txt",
                                      "d/c/x.ndjson.zst", "d/linked.txt"));
  put("none/notes.md");
  EXPECT_THAT([&] { found("none"); }, ThrowsMessage<Error>(AllOf(HasSubstr("no file below"), HasSubstr("none"))));
}

TEST_F(FindInputs, APatternIsExpandedWhenNoFileHasThatName) {
  for (const char* name :
       {"d/a1.txt", "d/a2.txt", "d/b.md", "d/.a3.txt", "d/s/a4.txt", "d/s/t/a5.txt", "d/s/.h/a6.txt"})
    put(name);
  EXPECT_THAT(found("d/a*.txt"), ElementsAre("d/a1.txt", "d/a2.txt"));
  EXPECT_THAT(found("d/a[2-9].txt"), ElementsAre("d/a2.txt"));
  EXPECT_THAT(found("*/?.md"), ElementsAre("d/b.md"));
  EXPECT_THAT(found("d/*"), ElementsAre("d/a1.txt", "d/a2.txt", "d/b.md", "d/s/a4.txt", "d/s/t/a5.txt"));
  EXPECT_THAT(found("d/**/a*.txt"), ElementsAre("d/a1.txt", "d/a2.txt", "d/s/a4.txt", "d/s/t/a5.txt"));
  EXPECT_THAT(found("**/t/*"), ElementsAre("d/s/t/a5.txt"));
  EXPECT_THAT(found("d/**"), ElementsAre("d/a1.txt", "d/a2.txt", "d/s/a4.txt", "d/s/t/a5.txt"));
  EXPECT_THAT(found("d/**/**/*.md"), ElementsAre("d/b.md"));
  put("d/[a].txt");
  EXPECT_THAT(found("d/[a].txt"), ElementsAre("d/[a].txt"));
  for (const char* pattern : {"d/c*.txt", "e/*", "d/a1.txt/*"})
    EXPECT_THAT([&] { found(pattern); },
                ThrowsMessage<Error>(AllOf(HasSubstr("no file matches "), HasSubstr(pattern))));
  EXPECT_THAT([&] { found("d/none.txt"); }, ThrowsMessage<Error>(HasSubstr("no file ")));
}

TEST_F(FindInputs, WhatIsNoTextIsRefusedWithWhatToDo) {
  for (const auto& [name, remedy] :
       std::vector<std::pair<std::string, std::string>>{{"a.txt.gz", "gunzip -c"},
                                                        {"a.parquet", "convert it to JSON lines"},
                                                        {"a.json", "jq -c"},
                                                        {"a.tar.zst", "unpack the archive"},
                                                        {"a.json.zst", "jq -c"},
                                                        {"a.txt.xz", "xz -dc"}}) {
    put(name);
    EXPECT_THAT([&] { found(name); }, ThrowsMessage<Error>(AllOf(HasSubstr(name), HasSubstr(remedy)))) << name;
    EXPECT_THAT([&] { found(name.substr(0, 3) + "*"); }, ThrowsMessage<Error>(HasSubstr(remedy))) << name;
    fs::remove(directory_ / name);
  }
}

TEST_F(FindInputs, ThousandsOfFilesHoldNoDescriptors) {
  for (int i = 0; i < 3000; ++i) put("many/" + std::to_string(i) + ".txt", "text " + std::to_string(i));
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit few{64, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &few);
  DocumentReader reader(find_inputs({(directory_ / "many").string()}));
  std::vector<std::string> documents;
  for (DocumentChunk chunk; reader.next(chunk);)
    chunk.for_each([&](std::string_view document) { documents.emplace_back(document); });
  setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_EQ(documents.size(), 3000u);
  EXPECT_EQ(documents[1], "text 1");
  EXPECT_EQ(documents[2], "text 10") << "in order of path";
}

}  // namespace
}  // namespace trireme::data
