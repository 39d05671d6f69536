#include "train/loop/samples.h"

#include <gmock/gmock.h>

#include "core/base/error.h"
#include "core/comm/thread_communicator.h"
#include "data/tokenizer/train_tokenizer.h"
#include "models/registry.h"
#include "train/parallel/flat_parameters.h"

namespace trireme::train {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;

data::Tokenizer tokenizer() {
  data::TokenizerTraining training;
  training.vocabulary_size = 270;
  data::WordCounts words;
  words.add("the oars of the ship and the crew of the ship");
  return data::Tokenizer::parse(data::learn_tokenizer(training, words), "test");
}

/// What every rank of a world gets.
std::vector<std::vector<Sample>> drawn(
    int ranks, const EvaluationConfig& config, std::uint64_t seed = 1,
    const std::function<bool()>& stop = [] { return false; }) {
  std::vector<std::vector<Sample>> all(static_cast<std::size_t>(ranks));
  run_on_threads(ranks, [&](Communicator& world) {
    models::ModelConfig shape;
    shape.layers = 1;
    shape.width = 16;
    shape.heads = 2;
    shape.context = 32;
    const auto model = models::build_model(shape, tokenizer().vocabulary_size());
    FlatParameters parameters(model->parameters(), at::kFloat);
    parameters.initialise(1);
    parameters.publish();
    Stages stages(world, *model);
    const Samples samples(config, seed, shape.context, tokenizer());
    all[static_cast<std::size_t>(world.rank())] = samples.draw(stages, stop);
  });
  return all;
}

TEST(Samples, AreTheSameOnAnyNumberOfRanksAndOnEachOfThem) {
  EvaluationConfig config;
  config.sample_tokens = 12;
  config.prompts = {"the ship", "", "the crew", "oars", "and"};
  const std::vector<Sample> alone = drawn(1, config)[0];
  ASSERT_THAT(alone, SizeIs(5));
  for (const int ranks : {2, 3, 7})
    for (const auto& samples : drawn(ranks, config)) {
      ASSERT_THAT(samples, SizeIs(5));
      for (std::size_t i = 0; i < 5; ++i) {
        EXPECT_EQ(samples[i].prompt, config.prompts[i]);
        EXPECT_EQ(samples[i].text, alone[i].text);
        EXPECT_EQ(samples[i].tokens, alone[i].tokens);
      }
    }
}

TEST(Samples, WithoutAPromptATextIsBegunAnew) {
  const auto samples = drawn(1, {})[0];
  ASSERT_THAT(samples, SizeIs(1));
  EXPECT_EQ(samples[0].prompt, "");
  EXPECT_EQ(samples[0].tokens, 31) << "64 are asked for, but the context of 32 holds the first token as well";
  EXPECT_EQ(samples[0].reason, "length");
}

TEST(Samples, TheSeedDecides) {
  EXPECT_EQ(drawn(1, {})[0][0].text, drawn(1, {})[0][0].text);
  EXPECT_NE(drawn(1, {})[0][0].text, drawn(1, {}, 2)[0][0].text);
}

TEST(Samples, AStopCutsEachTextShort) {
  EvaluationConfig config;
  config.prompts = {"the ship", "", "the crew"};
  for (const auto& samples : drawn(2, config, 1, [] { return true; })) {
    ASSERT_THAT(samples, SizeIs(3));
    for (const Sample& sample : samples) {
      EXPECT_EQ(sample.reason, "interrupted");
      EXPECT_LE(sample.tokens, 1);
    }
  }
}

TEST(Samples, NoTokensNoSamples) {
  EvaluationConfig config;
  config.sample_tokens = 0;
  EXPECT_THAT(drawn(2, config)[1], IsEmpty());
}

TEST(Samples, APromptThatFillsTheContextIsRefusedAtTheStart) {
  EvaluationConfig config;
  config.prompts = {"x", std::string(40, 'x')};
  EXPECT_THAT([&] { drawn(1, config); }, ThrowsMessage<Error>(HasSubstr("eval.prompts: a prompt has 40 tokens")));
}

}  // namespace
}  // namespace trireme::train
