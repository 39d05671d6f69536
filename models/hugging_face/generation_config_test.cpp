#include "models/hugging_face/generation_config.h"

#include <gmock/gmock.h>

#include "core/base/error.h"

namespace trireme::models {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

GenerationDefaults of(const std::string& text) { return generation_defaults(text, kGenerationConfigFile); }

TEST(GenerationConfig, SamplesAsItSays) {
  const GenerationDefaults defaults = of(
      R"({"do_sample": true, "temperature": 0.6, "top_p": 0.9, "top_k": 20, "max_new_tokens": 512, "eos_token_id": [1, 2],
             "transformers_version": "4.51.0", "repetition_penalty": 1.0})");
  EXPECT_EQ(defaults.sampling.temperature, 0.6);
  EXPECT_EQ(defaults.sampling.top_p, 0.9);
  EXPECT_EQ(defaults.sampling.top_k, 20);
  EXPECT_EQ(defaults.max_tokens, 512);
  EXPECT_THAT(defaults.not_honoured, IsEmpty());
}

TEST(GenerationConfig, TakesTheLikeliestWhereItSaysSoAndElseNothing) {
  EXPECT_EQ(of(R"({"do_sample": false, "temperature": 0.6})").sampling.temperature, 0);
  EXPECT_EQ(of(R"({"temperature": 0.6, "top_k": 3})").sampling.temperature, 1);
  EXPECT_EQ(of(R"({"temperature": 0.6, "top_k": 3})").sampling.top_k, 0);
  EXPECT_EQ(of("{}").max_tokens, std::nullopt);
}

TEST(GenerationConfig, NamesWhatIsNotDone) {
  EXPECT_THAT(of(R"({"repetition_penalty": 1.1, "num_beams": 4, "min_p": null, "typical_p": 1.0})").not_honoured,
              ElementsAre("num_beams 4", "repetition_penalty 1.1"));
}

TEST(GenerationConfig, RefusesWhatCannotBe) {
  EXPECT_THAT([] { of(R"({"do_sample": true, "temperature": -1})"); }, ThrowsMessage<Error>(HasSubstr("temperature")));
  EXPECT_THAT([] { of(R"({"do_sample": true, "top_p": 2})"); }, ThrowsMessage<Error>(HasSubstr("top_p")));
  EXPECT_THAT([] { of(R"({"do_sample": "yes"})"); }, ThrowsMessage<Error>(HasSubstr("do_sample")));
  EXPECT_THAT([] { of(R"({"max_new_tokens": 0})"); }, ThrowsMessage<Error>(HasSubstr("max_new_tokens")));
  EXPECT_THAT([] { of("[]"); }, ThrowsMessage<Error>(HasSubstr("generation_config.json")));
}

}  // namespace
}  // namespace trireme::models
