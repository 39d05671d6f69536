#include "train/loop/evaluation.h"

#include <gmock/gmock.h>

#include <cmath>
#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/comm/thread_communicator.h"
#include "data/corpus/testing.h"
#include "models/registry.h"
#include "train/loop/step_exchange.h"
#include "train/parallel/flat_parameters.h"

namespace trireme::train {
namespace {

using data::testing::bytes_tokenizer;
using data::testing::one_document_corpus;
using data::testing::TemporaryDirectory;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// A model of the corpus's vocabulary with initial weights.
struct Fixture {
  explicit Fixture(std::int64_t vocabulary) {
    models::ModelConfig config;
    config.layers = 1;
    config.width = 16;
    config.heads = 2;
    config.context = 16;
    model = models::build_model(config, vocabulary);
    parameters.emplace(model->parameters(), at::kFloat);
    parameters->initialise(1);
  }
  std::unique_ptr<models::Model> model;
  std::optional<FlatParameters> parameters;
};

const auto never = [] { return std::int64_t{kNone}; };

class EvaluationTest : public ::testing::Test {
 protected:
  EvaluationTest() { one_document_corpus(directory_ / "corpus", 1000); }
  data::Corpus corpus() const { return data::Corpus::open(directory_ / "corpus", data::Split::kTraining); }

  EvaluationResult run(int ranks, std::int64_t batches) const {
    EvaluationResult result;
    run_on_threads(ranks, [&](Communicator& world) {
      const Evaluation set("mine", corpus(), {.sequence_length = 16, .micro_batch = 2, .batches = batches});
      Fixture fixture(corpus().vocabulary_size());
      Stages stages(world, *fixture.model);
      const EvaluationResult mine = set.run(stages, never);
      if (world.rank() == 0) result = mine;
    });
    return result;
  }

  const TemporaryDirectory directory_;
};

TEST_F(EvaluationTest, AnyNumberOfRanksFindsTheSame) {
  for (const std::int64_t batches : {0, 7}) {
    const EvaluationResult one = run(1, batches);
    EXPECT_EQ(one.stopped, kNone);
    EXPECT_NEAR(one.loss, std::log(257), 0.5) << "of initial weights";
    for (const int ranks : {2, 5}) {
      const EvaluationResult more = run(ranks, batches);
      EXPECT_EQ(more.loss, one.loss) << ranks;
      EXPECT_EQ(more.bits_per_byte, one.bits_per_byte) << ranks;
    }
  }
}

TEST_F(EvaluationTest, APartStandsForTheWholeAndMoreThanThereIsIsTheWhole) {
  const EvaluationResult whole = run(1, 0), part = run(1, 7), more = run(1, 1000);
  EXPECT_NE(part.loss, whole.loss);
  EXPECT_NEAR(part.loss, whole.loss, 0.3);
  EXPECT_NEAR(part.bits_per_byte / part.loss, whole.bits_per_byte / whole.loss, 1e-9) << "as many tokens a byte";
  EXPECT_EQ(more.loss, whole.loss);
}

TEST_F(EvaluationTest, AStopOfOneRankEndsItOnAllAtTheSameBatch) {
  run_on_threads(3, [&](Communicator& world) {
    const Evaluation set("mine", corpus(), {.sequence_length = 16, .micro_batch = 2});
    Fixture fixture(corpus().vocabulary_size());
    int asked = 0;
    Stages stages(world, *fixture.model);
    const EvaluationResult result =
        set.run(stages, [&]() -> std::int64_t { return ++asked == 3 && world.rank() == 2 ? kSignal : kNone; });
    EXPECT_EQ(result.stopped, kSignal) << world.rank();
    EXPECT_EQ(asked, 3) << world.rank();
  });
}

TEST_F(EvaluationTest, ASetIsItsValidationSplitOrAllOfItsText) {
  const std::string hash = corpus().tokenizer_hash();
  EXPECT_EQ(open_evaluation_corpus(directory_ / "corpus", hash).content_hash(), corpus().content_hash());
  data::CorpusWriter writer(directory_ / "two", bytes_tokenizer());
  writer.add(data::Split::kTraining, std::vector<data::TokenId>{1, 2, 3}, 3);
  writer.add(data::Split::kValidation, std::vector<data::TokenId>{9}, 1);
  writer.finish();
  EXPECT_EQ(open_evaluation_corpus(directory_ / "two", hash).tokens(), 2);
  EXPECT_THAT([&] { open_evaluation_corpus(directory_ / "two", "0"); },
              ThrowsMessage<Error>(HasSubstr("another tokenizer")));
}

}  // namespace
}  // namespace trireme::train
