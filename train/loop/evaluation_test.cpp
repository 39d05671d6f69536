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
  EXPECT_NEAR(*part.bits_per_byte / part.loss, *whole.bits_per_byte / whole.loss, 1e-9) << "as many tokens a byte";
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
  const data::TrainingStream training({{directory_ / "corpus", 1}}, 1, 16);
  EXPECT_EQ(open_evaluation_corpus(directory_ / "corpus", training).content_hash(), corpus().content_hash());
  data::CorpusWriter writer(directory_ / "two", bytes_tokenizer());
  writer.add(data::Split::kTraining, std::vector<data::TokenId>{1, 2, 3}, 3);
  writer.add(data::Split::kValidation, std::vector<data::TokenId>{9}, 1);
  writer.finish();
  EXPECT_EQ(open_evaluation_corpus(directory_ / "two", training).tokens(), 2);
  data::CorpusWriter strange(directory_ / "strange", bytes_tokenizer(/*unused=*/3));
  strange.add(data::Split::kTraining, std::vector<data::TokenId>{1, 2, 3}, 3);
  strange.finish();
  EXPECT_THAT([&] { open_evaluation_corpus(directory_ / "strange", training); },
              ThrowsMessage<Error>(HasSubstr("another tokenizer")));
}

TEST_F(EvaluationTest, OfLabelsIsTheShareThatIsFound) {
  for (const std::string head : {"classes", "labels"}) {
    const data::Tokenizer tokenizer = bytes_tokenizer();
    const data::Labels labels{head == "classes" ? data::Labels::Of::kTexts : data::Labels::Of::kTokens, {"a", "b"}};
    data::CorpusWriter writer(directory_ / head, &tokenizer, tokenizer.vocabulary_size(), labels);
    for (data::TokenId i = 0; i < 9; ++i) {
      data::LabelledText text{std::vector<data::TokenId>(static_cast<std::size_t>(1 + i), i), {}};
      text.labels.assign(head == "classes" ? 1 : text.ids.size(), 0);
      if (head == "labels") text.labels[0] = i % 2 ? 0 : -1;
      writer.add(data::Split::kTraining, writer.label_storage().row(text), 1);
    }
    writer.finish();
    models::ModelConfig config;
    config.layers = 1;
    config.width = 16;
    config.heads = 2;
    config.context = 16;
    config.head = head;
    config.labels = labels.names;
    // Heads whose bias says the first label, or the other one.
    for (const std::int64_t said : {0, 1}) {
      std::vector<EvaluationResult> results;
      for (const int ranks : {1, 2}) {
        run_on_threads(ranks, [&](Communicator& world) {
          const auto model = models::build_model(config, tokenizer.vocabulary_size());
          FlatParameters parameters(model->parameters(), at::kFloat);
          parameters.initialise(1);
          for (models::Parameter& parameter : model->parameters().all())
            if (parameter.name == "head.weight") parameter.value.detach().zero_();
          if (const models::Parameter* bias = model->head_bias()) bias->value.detach()[said] = 1;
          const Evaluation set("mine", data::Corpus::open(directory_ / head, data::Split::kTraining),
                               {.sequence_length = 16, .micro_batch = 2});
          Stages stages(world, *model);
          const EvaluationResult mine = set.run(stages, never);
          if (world.rank() == 0) results.push_back(mine);
        });
      }
      EXPECT_EQ(results[0].loss, results[1].loss);
      EXPECT_EQ(results[0].accuracy, results[1].accuracy);
      EXPECT_FALSE(results[0].bits_per_byte);
      if (head == "labels") {
        EXPECT_EQ(results[0].accuracy, said == 0 ? 1 : 0);
        EXPECT_NEAR(results[0].loss, std::log(1 + std::exp(said == 0 ? -1 : 1)), 1e-6);
      } else {
        EXPECT_NEAR(results[0].loss, std::log(2), 1e-6) << "without a bias, scores of 0";
      }
    }
  }
}

}  // namespace
}  // namespace trireme::train
