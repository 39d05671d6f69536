#include "serve/api/classify_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "serve/api/request_error.h"

namespace trireme::serve {
namespace {

using nlohmann::json;

TEST(ClassifyRequest, TakesOneTextOrSeveral) {
  const auto one = ClassifyRequest::parse({{"model", "m"}, {"input", "good"}});
  ASSERT_EQ(one.inputs.size(), 1U);
  EXPECT_EQ(std::get<std::string>(one.inputs[0]), "good");
  EXPECT_FALSE(one.return_token_ids);
  const auto two = ClassifyRequest::parse(
      {{"model", "m"}, {"input", json::array({{1, 2}, {3}})}, {"return_token_ids", true}, {"activation", true}});
  ASSERT_EQ(two.inputs.size(), 2U);
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(two.inputs[1]), std::vector<std::int64_t>{3});
  EXPECT_TRUE(two.return_token_ids);
}

TEST(ClassifyRequest, RefusesByNameWhatItDoesNotHonour) {
  for (const auto& [body, param] : std::initializer_list<std::pair<json, std::string>>{
           {{{"model", "m"}}, "input"},
           {{{"model", "m"}, {"input", 3}}, "input"},
           {{{"model", "m"}, {"input", "a"}, {"activation", false}}, "activation"},
           {{{"model", "m"}, {"input", "a"}, {"truncate_prompt_tokens", 3}}, "truncate_prompt_tokens"}}) {
    try {
      ClassifyRequest::parse(body);
      ADD_FAILURE() << body;
    } catch (const RequestError& error) {
      EXPECT_EQ(error.param(), param) << error.what();
    }
  }
}

}  // namespace
}  // namespace trireme::serve
