#include "serve/api/completion_request.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace trireme::serve {
namespace {

using nlohmann::json;
using Ids = std::vector<std::int64_t>;

CompletionRequest parsed(const char* body,
                         const GenerationRequest& defaults = {.max_tokens = 16, .sampling = {.seed = 7}}) {
  return CompletionRequest::parse(json::parse(body), defaults);
}

void expect_refused(const char* body, const std::string& param) {
  try {
    parsed(body);
    ADD_FAILURE() << "accepted: " << body;
  } catch (const RequestError& error) {
    EXPECT_EQ(error.param(), param) << error.what();
  }
}

TEST(CompletionRequest, TakesPromptsOfEveryKind) {
  EXPECT_EQ(std::get<std::string>(parsed(R"({"prompt":"a"})").prompts.at(0)), "a");
  EXPECT_EQ(std::get<Ids>(parsed(R"({"prompt":[1,2]})").prompts.at(0)), (Ids{1, 2}));
  EXPECT_EQ(std::get<std::string>(parsed(R"({"prompt":["a","b"]})").prompts.at(1)), "b");
  EXPECT_EQ(std::get<Ids>(parsed(R"({"prompt":[[1],[2,3]]})").prompts.at(1)), (Ids{2, 3}));
  for (const char* prompt :
       {"", R"("prompt":null)", R"("prompt":[])", R"("prompt":{})", R"("prompt":["a",[1]])", R"("prompt":[1,"a"])",
        R"("prompt":[1.5])", R"("prompt":[18446744073709551615])", R"("prompt":[[1],2])", R"("prompt":7)"})
    expect_refused(("{" + std::string(prompt) + "}").c_str(), "prompt");
}

TEST(CompletionRequest, HonoursItsFields) {
  const CompletionRequest request = parsed(
      R"({"model":"any","prompt":"a","max_tokens":3,"temperature":0,"top_p":0.5,"top_k":-1,"seed":-2,"n":2,"best_of":2,
          "stop":["x","y"],"stop_token_ids":[4],"ignore_eos":true,"return_token_ids":true,"echo":true,"user":"me"})");
  EXPECT_EQ(request.model, "any");
  EXPECT_EQ(request.generation.max_tokens, 3);
  EXPECT_EQ(request.generation.sampling.temperature, 0);
  EXPECT_EQ(request.generation.sampling.top_p, 0.5);
  EXPECT_EQ(request.generation.sampling.top_k, 0);
  EXPECT_EQ(request.generation.sampling.seed, static_cast<std::uint64_t>(-2));
  EXPECT_EQ(request.n, 2);
  EXPECT_EQ(request.generation.stop_texts, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(request.generation.stop_ids, Ids{4});
  EXPECT_TRUE(request.generation.ignore_end && request.return_token_ids && request.echo);
  EXPECT_EQ(parsed(R"({"prompt":"a"})").generation.sampling.seed, 7u);
  EXPECT_EQ(parsed(R"({"prompt":"a"})").generation.max_tokens, 16);
}

TEST(CompletionRequest, TakesFromTheDefaultsWhatItDoesNotSay) {
  const GenerationRequest defaults{.max_tokens = 99, .sampling = {.temperature = 0.6, .top_k = 20, .top_p = 0.9}};
  const models::SamplingOptions taken = parsed(R"({"prompt":"a"})", defaults).generation.sampling;
  EXPECT_EQ(taken.temperature, 0.6);
  EXPECT_EQ(taken.top_k, 20);
  EXPECT_EQ(taken.top_p, 0.9);
  EXPECT_EQ(parsed(R"({"prompt":"a"})", defaults).generation.max_tokens, 99);
  EXPECT_EQ(parsed(R"({"prompt":"a","temperature":1,"top_k":-1})", defaults).generation.sampling.temperature, 1);
  EXPECT_EQ(parsed(R"({"prompt":"a","temperature":1,"top_k":-1})", defaults).generation.sampling.top_k, 0);
}

TEST(CompletionRequest, NumbersAreRefusedBeyondTheirLimitsAndNoNumbersByName) {
  const std::pair<const char*, std::vector<const char*>> kRefused[] = {
      {"max_tokens", {"0", "-1", "1.5", "16777217", "9223372036854775808", "1e30", "\"1\"", "true"}},
      {"temperature", {"-0.1", "101", "\"1\"", "[]"}},
      {"top_p", {"-0.1", "1.1"}},
      {"top_k", {"-2", "16777217"}},
      {"n", {"0", "129"}},
      {"seed", {"1.5", "9223372036854775808"}},
      {"stop", {"1", "[1]", "{}"}},
      {"stop_token_ids", {"1", "[\"a\"]"}},
      {"ignore_eos", {"1"}},
      {"stream", {"true"}},
      {"logprobs", {"1"}},
      {"suffix", {"\"x\""}},
      {"presence_penalty", {"0.5"}},
      {"repetition_penalty", {"1.1"}},
      {"logit_bias", {"{\"1\":2}"}},
      {"best_of", {"3"}},
      {"no_such_field", {"1"}}};
  for (const auto& [key, values] : kRefused)
    for (const char* value : values)
      expect_refused((R"({"prompt":"a",")" + std::string(key) + "\":" + value + "}").c_str(), key);
  EXPECT_NO_THROW(parsed(R"({"prompt":"a","stream":false,"logprobs":null,"presence_penalty":0,"logit_bias":{}})"));
  expect_refused("[]", "");
}

}  // namespace
}  // namespace trireme::serve
