#include "train/config/train_config.h"

#include <gmock/gmock.h>

#include "core/base/error.h"
#include "core/config/sources.h"

namespace trireme::train {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TrainConfig sound() {
  TrainConfig config;
  config.data.path = "corpora/mine";
  return config;
}

TEST(TrainConfig, HoldsTextThatItsFileCanHold) {
  for (const char* text : {"\xFF", "a\xE2\x82", "\xED\xA0\x80"}) {
    TrainConfig config;
    config.data.path = "c";
    config.model.family = text;
    EXPECT_THAT([&] { validate(config); }, ThrowsMessage<Error>(HasSubstr("model.family must be UTF-8")));
  }
  TrainConfig config, again;
  config.data.path = "c\xEF\xBF\xBF \x01\x7F\"\\\n\xC2\x85\xE2\x80\xA8";  // U+FFFF, U+0085, U+2028
  config.eval.prompts = {"", "a, b", "~", "]"};
  validate(config);
  apply_assignments(parse_yaml(to_yaml(fields_of(config)), "config.yaml", fields_of(again)), fields_of(again));
  EXPECT_EQ(again.data.path, config.data.path);
  EXPECT_EQ(again.eval.prompts, config.eval.prompts);
}

TEST(TrainConfig, DefaultsAreSoundOnceThereIsData) {
  EXPECT_NO_THROW(validate(sound()));
  EXPECT_THAT([] { validate(TrainConfig{}); }, ThrowsMessage<Error>(HasSubstr("data.path is required")));
}

TEST(TrainConfig, RelationsBetweenKeysAreCheckedByName) {
  const auto refused = [](auto change, const char* message) {
    TrainConfig config = sound();
    change(config);
    EXPECT_THAT([&] { validate(config); }, ThrowsMessage<Error>(HasSubstr(message)));
  };
  refused([](TrainConfig& c) { c.data.micro_batch = 3; },
          "data.global-batch must be a multiple of data.micro-batch, got 16 and 3");
  refused([](TrainConfig& c) { c.data.sequence_length = c.model.context + 1; },
          "data.sequence-length must not exceed model.context, got 1025 and 1024");
  refused([](TrainConfig& c) { c.schedule.warmup_steps = c.steps + 1; },
          "schedule.warmup-steps must not exceed steps, got 1001 and 1000");
  refused(
      [](TrainConfig& c) {
        c.schedule.name = "wsd";
        c.schedule.decay_steps = 901;
      },
      "schedule.warmup-steps and schedule.decay-steps together must not exceed steps, got 100 and 901 of 1000");
  refused(
      [](TrainConfig& c) {
        c.schedule.name = "wsd";
        c.schedule.warmup_steps = 901;
      },
      "together must not exceed steps, got 901 and 100 of 1000");
  refused([](TrainConfig& c) { c.schedule.decay_steps = 10; },
          "schedule.decay-steps is for schedule.name wsd and must be 0 for cosine, got 10");
  refused(
      [](TrainConfig& c) {
        c.checkpoint.keep_best = 2;
        c.eval.every_steps = 0;
      },
      "checkpoint.keep-best needs evaluations and must be 0 for eval.every-steps 0, got 2");
  refused([](TrainConfig& c) { c.schedule.decay_shape = "linear"; },
          "schedule.decay-shape is for schedule.name wsd, got linear for cosine");
}

TEST(TrainConfig, EvaluationSetsAreNamesWithDirectories) {
  EvaluationConfig eval;
  EXPECT_TRUE(eval.named_sets().empty());
  eval.sets = "web=corpora/web,code-2=a=b";
  const auto sets = eval.named_sets();
  ASSERT_EQ(sets.size(), 2u);
  EXPECT_EQ(sets[0].name + ":" + sets[0].path, "web:corpora/web");
  EXPECT_EQ(sets[1].name + ":" + sets[1].path, "code-2:a=b");
}

TEST(TrainConfig, EvaluationSetsThatCannotBeAreRefused) {
  const auto refused = [](const char* sets, const char* message) {
    TrainConfig config = sound();
    config.eval.sets = sets;
    EXPECT_THAT([&] { validate(config); }, ThrowsMessage<Error>(HasSubstr(message)));
  };
  refused("web", "eval.sets must be NAME=DIRECTORY,NAME=DIRECTORY,..., got 'web' in 'web'");
  refused("web=a,", "got '' in 'web=a,'");
  refused("=a", "got '=a'");
  refused("a=", "got 'a='");
  refused("a b=c", "a name consists of letters, digits, '.', '_' and '-', got 'a b'");
  refused("a=b,a=c", "eval.sets names a twice");
  refused("validation=b", "validation is the name of the corpus's own split");
  TrainConfig config = sound();
  config.eval.sets = "a=b";
  config.eval.every_steps = 0;
  EXPECT_THAT([&] { validate(config); }, ThrowsMessage<Error>(HasSubstr("eval.sets needs evaluations")));
}

TEST(TrainConfig, DataPathIsOneDirectoryOrSeveralWithWeights) {
  DataConfig data;
  const auto expect = [&](const char* path, const std::vector<std::pair<std::string, double>>& expected) {
    data.path = path;
    std::vector<std::pair<std::string, double>> seen;
    for (const CorpusShare& corpus : data.corpora()) seen.emplace_back(corpus.path, corpus.weight);
    EXPECT_EQ(seen, expected);
  };
  expect("corpora/mine", {{"corpora/mine", 1}});
  expect("corpora/year=2024", {{"corpora/year=2024", 1}});
  expect("a=0.7,b/c=3e-1", {{"a", 0.7}, {"b/c", 0.3}});
  expect("year=2024=1,year=2025=2", {{"year=2024", 1}, {"year=2025", 2}});
}

TEST(TrainConfig, AMixtureThatCannotBeIsRefusedByKeyAndValue) {
  const auto refused = [](const char* path, const char* message) {
    TrainConfig config = sound();
    config.data.path = path;
    EXPECT_THAT([&] { validate(config); },
                ThrowsMessage<Error>(::testing::AllOf(HasSubstr("data.path"), HasSubstr(message))));
  };
  refused("a,b", "'a' of 'a,b' must be DIRECTORY=WEIGHT");
  refused("a=1,b", "'b' of 'a=1,b' must be DIRECTORY=WEIGHT");
  refused("a=1,", "'' of 'a=1,' must be");
  refused("a=1,=2", "'=2' of");
  for (const char* weight : {"0", "-1", "nan", "inf", "1e-7", "1e7", "x", "", "1 "})
    refused(("a=1,b=" + std::string(weight)).c_str(),
            ("weight of b must be a number in [1e-06, 1e+06], got '" + std::string(weight) + "'").c_str());
  refused("a=1,b=1,./a=2", "names ./a twice");
  refused("a=1,a/=2", "names a/ twice");
}

TEST(TrainConfig, WhatIsNotAvailableYetIsRefusedByName) {
  const auto refused = [](auto change, const char* message) {
    TrainConfig config = sound();
    change(config);
    EXPECT_THAT([&] { validate(config); }, ThrowsMessage<Error>(HasSubstr(message)));
  };
  refused([](TrainConfig& c) { c.device = "cuda"; }, "device cuda is not available yet; allowed: cpu");
  refused([](TrainConfig& c) { c.precision.compute = "fp16"; }, "precision.compute fp16 is not available yet");
  refused([](TrainConfig& c) { c.parallel.tensor = 2; }, "parallel.tensor 2 is not available yet; allowed: 1");
  refused([](TrainConfig& c) { c.parallel.context = 2; }, "parallel.context 2 is not available yet");
  refused([](TrainConfig& c) { c.parallel.expert = 2; }, "parallel.expert 2 is not available yet");
}

TEST(TrainConfig, YamlThatARunRecordsGivesTheSameConfigBack) {
  TrainConfig config = sound();
  config.optimizer.learning_rate = 1e-3 / 3;
  config.model.tie_embeddings = false;
  config.data.path = "with space: and #colon=1,b=2";
  const std::string yaml = to_yaml(fields_of(config));
  TrainConfig read;
  const FieldList fields = fields_of(read), written = fields_of(config);
  apply_assignments(parse_yaml(yaml, "config.yaml", fields), fields);
  for (std::size_t i = 0; i < fields.size(); ++i) EXPECT_EQ(field_text(fields[i]), field_text(written[i])) << yaml;
}

TEST(TrainConfig, LaterSourcesWin) {
  TrainConfig config;
  const FieldList fields = fields_of(config);
  Assignments all = parse_yaml("{seed: 2, optimizer: {learning-rate: 1e-2, beta1: 0.8}}", "train.yaml", fields);
  all.push_back({"optimizer.learning-rate", {"1e-3"}, "--optimizer.learning-rate"});
  apply_assignments(all, fields);
  EXPECT_EQ(config.seed, 2);
  EXPECT_EQ(config.optimizer.beta1, 0.8);
  EXPECT_EQ(config.optimizer.learning_rate, 1e-3);
  EXPECT_EQ(config.optimizer.beta2, OptimizerConfig{}.beta2);
}

TEST(TrainConfig, OnResumeWhatIsLearntStaysAndTheRestMayChange) {
  TrainConfig config;
  for (const FieldRef& field : fields_of(config)) {
    const std::string_view key = field.key;
    const std::string_view group = key.substr(0, key.find('.'));
    const bool may = group == "parallel" || group == "checkpoint" || group == "eval" || group == "log" ||
                     group == "recovery" || key == "steps" || key == "threads" || key == "recompute" ||
                     key == "data.path";
    EXPECT_EQ(may_change_on_resume(key), may) << key;
  }
}

}  // namespace
}  // namespace trireme::train
