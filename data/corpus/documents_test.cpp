#include "data/corpus/documents.h"

#include <gmock/gmock.h>

#include <random>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme::data {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

std::vector<std::string> documents_of(std::vector<Input> inputs, const std::string& text_field = "text") {
  std::uint64_t bytes = 0;
  for (const Input& input : inputs) bytes += *input.bytes;
  DocumentReader reader(std::move(inputs), text_field);
  std::vector<std::string> documents;
  DocumentChunk chunk;
  while (reader.next(chunk)) chunk.for_each([&](std::string_view document) { documents.emplace_back(document); });
  EXPECT_EQ(reader.bytes_in_all(), bytes);
  EXPECT_EQ(chunk.bytes_taken(), bytes);
  return documents;
}

std::vector<std::string> documents_of(const std::string& content, const std::string& text_field = "text",
                                      InputFormat format = {}) {
  return documents_of({memory_input("memory", format, content)}, text_field);
}

std::vector<std::string> lines_of(const std::string& content, const std::string& text_field = "text") {
  return documents_of(content, text_field, {.json_lines = true});
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

TEST(DocumentReader, ReadsInputsOneBehindTheOtherAndPassesOverEmptyOnes) {
  const InputFormat text{}, lines{.json_lines = true};
  EXPECT_THAT(documents_of({memory_input("a", text, "one"), memory_input("b", text, ""),
                            memory_input("c", lines, "{\"text\": \"two\"}"), memory_input("d", text, "three")}),
              ElementsAre("one", "two", "three"));
}

TEST(DocumentReader, ReadsJsonLines) {
  EXPECT_THAT(lines_of("{\"text\": \"one\\n\\ntwo\"}\n\n{\"id\": 1, \"text\": \"\"}\r\n{\"text\":\"\\u20ac\"}"),
              ElementsAre("one\n\ntwo", "", "\xE2\x82\xAC"));
  const std::string big(3'000'000, 'z');  // no limit of 4 KiB here
  EXPECT_THAT(lines_of("{\"text\":\"" + big + "\"}\n{\"text\":\"b\"}\n"), ElementsAre(big, "b"));
}

TEST(DocumentReader, TakesTheMemberOfTheObjectItselfAndTheLastOfTwo) {
  EXPECT_THAT(lines_of("{\"a\": {\"text\": \"inner\"}, \"text\": \"outer\", \"b\": [\"text\", {\"text\": 1}]}"),
              ElementsAre("outer"));
  EXPECT_THAT(lines_of("{\"text\": 1, \"text\": \"last\"}"), ElementsAre("last"));
  EXPECT_THAT(lines_of("{\"text\": \"x\", \"body\": \"y\"}", "body"), ElementsAre("y"));
}

TEST(DocumentReader, NamesInputAndLineOfBadJson) {
  std::string good;
  for (int i = 0; i < 30'000; ++i) good += "{\"text\": \"line " + std::to_string(i) + "\"}\n\n";  // many chunks
  for (const auto& [line, message] : std::vector<std::pair<std::string, std::string>>{
           {"{\"text\": \"cut", "no valid JSON at byte 14"},
           {"{\"body\": \"one\"}", "a JSON object with a member \"text\" is due"},
           {"{\"a\": {\"text\": \"inner\"}}", "a JSON object with a member \"text\" is due"},
           {"[1]", "a JSON object"},
           {"{\"text\": 7}", "\"text\" is of type number"},
           {"{\"text\": [\"x\"]}", "\"text\" is of type array"},
           {"{\"text\": \"\xFF\"}", "no valid JSON"}})
    EXPECT_THAT([&] { lines_of(good + line + "\n" + good); },
                ThrowsMessage<Error>(AllOf(HasSubstr("memory line 60001: "), HasSubstr(message))));
}

TEST(DocumentReader, RefusesALineThatIsTooLongToHold) {
  const std::string tail(DocumentReader::kLongestLine, 'x');
  for (const char* end : {"", "\n", "\"}\n"})
    EXPECT_THAT([&] { lines_of("{\"text\": \"a\"}\n{\"text\": \"" + tail + end); },
                ThrowsMessage<Error>(AllOf(HasSubstr("memory line 2: "), HasSubstr("longer than 64 MiB"))));
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
