#include "data/corpus/documents.h"

#include <gmock/gmock.h>

#include <fstream>
#include <random>

#include "core/base/error.h"
#include "core/base/text.h"
#include "data/corpus/testing.h"

namespace trireme::data {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TemporaryDirectory;
using ::testing::ThrowsMessage;

std::vector<std::string> documents_of(const std::string& content, const std::string& name = "input.txt") {
  const TemporaryDirectory directory;
  std::ofstream(directory / name, std::ios::binary) << content;
  DocumentReader reader({directory / name});
  EXPECT_EQ(reader.bytes_in_all(), content.size());
  std::vector<std::string> documents;
  for (std::string document; reader.next(document);) documents.push_back(document);
  EXPECT_EQ(reader.bytes_read(), content.size());
  return documents;
}

std::string concatenation(const std::vector<std::string>& documents) { return join(documents, ""); }

TEST(DocumentReader, CutsTextBehindBlankLines) {
  EXPECT_THAT(documents_of("one\ntwo\n\nthree\n \t\r\n\nfour"),
              ElementsAre("one\ntwo\n\n", "three\n \t\r\n\n", "four"));
  EXPECT_THAT(documents_of("\n\none\n\n"), ElementsAre("\n\none\n\n"));
  EXPECT_THAT(documents_of("one\r\n\r\ntwo\r\n"), ElementsAre("one\r\n\r\n", "two\r\n"));
  EXPECT_THAT(documents_of("one\n\n   two"), ElementsAre("one\n\n", "   two"));
  EXPECT_THAT(documents_of("one\n\n   "), ElementsAre("one\n\n   "));
  EXPECT_THAT(documents_of(""), IsEmpty());
  EXPECT_THAT(documents_of("\n"), ElementsAre("\n"));
}

TEST(DocumentReader, CutsALongParagraphAtALineEndElseAtAUtf8Border) {
  const std::string line(99, 'a');
  std::string lines;
  for (int i = 0; i < 60; ++i) lines += line + "\n";
  auto documents = documents_of(lines);
  ASSERT_EQ(documents.size(), 2u);
  EXPECT_EQ(documents[0].size(), 4000u);  // 40 lines; the 41st would end at 4,100
  documents = documents_of("title\n" + std::string(5000, 'b'));
  ASSERT_EQ(documents.size(), 3u);
  EXPECT_EQ(documents[0], "title\n");
  EXPECT_EQ(documents[1].size(), 4096u);

  std::string euros;
  for (int i = 0; i < 3000; ++i) euros += "\xE2\x82\xAC";
  documents = documents_of(euros);
  ASSERT_EQ(documents.size(), 3u);
  EXPECT_EQ(documents[0].size(), 4095u);
  for (const std::string& document : documents) EXPECT_TRUE(is_utf8(document));
  // At the limit itself nothing is cut.
  EXPECT_THAT(documents_of(std::string(4094, 'c') + "\n\nd"), ElementsAre(std::string(4094, 'c') + "\n\n", "d"));
  EXPECT_THAT(documents_of(std::string(4096, 'c')), ElementsAre(std::string(4096, 'c')));
}

TEST(DocumentReader, DocumentsOfAnyTextAreTheTextByteForByte) {
  std::mt19937 random(1);
  const std::vector<std::string> pieces = {"\n",
                                           "\n\n",
                                           " ",
                                           "a",
                                           "word ",
                                           "\r\n",
                                           "\xE2\x82\xAC",
                                           "\xFF",
                                           "\x80",
                                           std::string(1, '\0'),
                                           std::string(700, 'x'),
                                           std::string(5000, ' '),
                                           std::string(9000, '\x80')};
  for (int trial = 0; trial < 100; ++trial) {
    std::string content;
    for (unsigned i = random() % 2000; i > 0; --i) content += pieces[random() % (i % 50 == 0 ? pieces.size() : 9)];
    if (trial % 10 == 0) content += std::string(600'000, trial % 20 ? '\n' : 'y');
    const auto documents = documents_of(content);
    EXPECT_EQ(concatenation(documents), content) << trial;
    for (const std::string& document : documents) {
      EXPECT_FALSE(document.empty());
      EXPECT_LE(document.size(), DocumentReader::kLongest);
    }
  }
}

TEST(DocumentReader, ReadsJsonLines) {
  EXPECT_THAT(
      documents_of("{\"text\": \"one\\n\\ntwo\"}\n\n{\"id\": 1, \"text\": \"\"}\r\n{\"text\":\"\\u20ac\"}", "a.jsonl"),
      ElementsAre("one\n\ntwo", "", "\xE2\x82\xAC"));
  const std::string big(3'000'000, 'z');  // no limit of 4 KiB here
  EXPECT_THAT(documents_of("{\"text\":\"" + big + "\"}\n{\"text\":\"b\"}\n", "a.jsonl"), ElementsAre(big, "b"));
}

TEST(DocumentReader, NamesFileAndLineOfBadJson) {
  const std::string good = "{\"text\": \"one\"}\n\n";
  for (const auto& [line, message] : std::vector<std::pair<std::string, std::string>>{
           {"{\"text\": \"cut", "no valid JSON"},
           {"{\"body\": \"one\"}", "a JSON object with a member \"text\" is due"},
           {"[1]", "a JSON object"},
           {"{\"text\": 7}", "\"text\" is of type number"},
           {"{\"text\": \"\xFF\"}", "no valid JSON"}})
    EXPECT_THAT([&] { documents_of(good + line + "\n", "bad.jsonl"); },
                ThrowsMessage<Error>(AllOf(HasSubstr("bad.jsonl line 3: "), HasSubstr(message))));
}

TEST(DocumentReader, RefusesWhatIsNoTextBeforeItBegins) {
  const TemporaryDirectory directory;
  EXPECT_THROW(DocumentReader({directory / "none.txt"}), Error);
  EXPECT_THROW(DocumentReader({directory.path()}), Error);
  std::ofstream(directory / "a.txt.gz") << "x";
  EXPECT_THAT([&] { DocumentReader({directory / "a.txt.gz"}); },
              ThrowsMessage<Error>(HasSubstr("neither text nor JSON")));
}

TEST(IsForValidation, DependsOnContentAloneAndKeepsTheFraction) {
  int aside = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string document = "document " + std::to_string(i);
    EXPECT_EQ(is_for_validation(document, 0.05), is_for_validation(document, 0.05));
    if (is_for_validation(document, 0.05)) {
      ++aside;
      EXPECT_TRUE(is_for_validation(document, 0.1));
    }
    EXPECT_FALSE(is_for_validation(document, 0));
    EXPECT_TRUE(is_for_validation(document, 1));
  }
  EXPECT_NEAR(aside, 1000, 150);
}

}  // namespace
}  // namespace trireme::data
