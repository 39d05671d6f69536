#include "serve/api/embedding_request.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "serve/api/request_error.h"

namespace trireme::serve {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

EmbeddingRequest parsed(const char* text) { return EmbeddingRequest::parse(json::parse(text), 8); }

TEST(EmbeddingRequest, TakesTextsAndIdsOneOrMany) {
  EXPECT_EQ(parsed(R"({"input": "a"})").inputs, std::vector<Prompt>{Prompt("a")});
  EXPECT_EQ(parsed(R"({"input": ["a", "b"]})").inputs.size(), 2u);
  EXPECT_EQ(parsed(R"({"input": [1, 2]})").inputs, std::vector<Prompt>{Prompt(std::vector<std::int64_t>{1, 2})});
  EXPECT_EQ(parsed(R"({"input": [[1], [2, 3]]})").inputs.size(), 2u);
  EXPECT_FALSE(parsed(R"({"input": "a", "dimensions": 8, "user": "u"})").base64);
  EXPECT_TRUE(parsed(R"({"input": "a", "encoding_format": "base64"})").base64);
}

TEST(EmbeddingRequest, RefusesByName) {
  const auto refused = [](const char* text, const char* param, const char* message) {
    try {
      parsed(text);
      ADD_FAILURE() << text;
    } catch (const RequestError& error) {
      EXPECT_EQ(error.param(), param) << text;
      EXPECT_THAT(error.what(), HasSubstr(message)) << text;
    }
  };
  refused(R"({})", "input", "input is missing");
  refused(R"({"input": []})", "input", "got []");
  refused(R"({"input": ["a", 1]})", "input", "list of texts");
  refused(R"({"input": [1.5]})", "input", "1.5");
  refused(R"({"input": "a", "dimensions": 4})", "dimensions", "allowed: 8");
  refused(R"({"input": "a", "encoding_format": "int8"})", "encoding_format", "\"int8\"");
  refused(R"({"input": "a", "pooling": "mean"})", "pooling", "not known");
  refused(R"([])", "", "must be an object");
}

}  // namespace
}  // namespace trireme::serve
