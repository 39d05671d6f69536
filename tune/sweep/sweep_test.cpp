#include "tune/sweep/sweep.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/random.h"

namespace trireme::tune {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

const std::string kSmall = "metric: loss\nparameters:\n  width: {values: [64, 128]}\n";

Sweep parse(const std::string& yaml) { return parse_sweep(yaml, "sweep.yaml"); }
// What stands on line 4.
Sweep with(const std::string& yaml) { return parse(kSmall + yaml); }

std::string refusal_of_file(const std::string& yaml) {
  try {
    parse(yaml);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("sweep.yaml line "));
    return error.what();
  }
  return "accepted";
}
std::string refusal(const std::string& yaml) { return refusal_of_file(kSmall + yaml); }

TEST(Sweep, HasDefaultsForAllThatIsNotGiven) {
  const Sweep sweep = parse(kSmall);
  EXPECT_EQ(sweep.name, "");
  EXPECT_EQ(sweep.method, "bayes");
  ASSERT_THAT(sweep.objectives, SizeIs(1));
  EXPECT_EQ(sweep.objectives[0].name, "loss");
  EXPECT_FALSE(sweep.objectives[0].maximize);
  EXPECT_EQ(sweep.space.size(), 1U);
  EXPECT_EQ(sweep.trials, 0);
  EXPECT_EQ(sweep.jobs, 1);
  EXPECT_EQ(sweep.timeout_seconds, 0);
  EXPECT_EQ(sweep.trial_timeout_seconds, 0);
  EXPECT_EQ(sweep.retries, 2);
  EXPECT_EQ(sweep.seed, 0U);
  EXPECT_THAT(sweep.command, IsEmpty());
  EXPECT_EQ(sweep.shell_command, "");
  EXPECT_EQ(sweep.base, "");
  EXPECT_EQ(sweep.text, kSmall);
}

TEST(Sweep, ReadsEachKey) {
  const Sweep sweep = with(
      "name: wide\ndescription: how wide\nmethod: tpe\nconstraints: ['width <= 64']\nrun_cap: 20\nn_jobs: 3\n"
      "timeout: 1h30m\ntrial_timeout: 90\nretries: 0\nseed: 7\nenqueue: [{width: 64}]\ncommand: [train, '${args}']\n");
  EXPECT_EQ(sweep.name, "wide");
  EXPECT_EQ(sweep.description, "how wide");
  EXPECT_EQ(sweep.method, "tpe");
  EXPECT_THAT(sweep.space.constraints(), SizeIs(1));
  EXPECT_EQ(sweep.trials, 20);
  EXPECT_EQ(sweep.jobs, 3);
  EXPECT_EQ(sweep.timeout_seconds, 5400);
  EXPECT_EQ(sweep.trial_timeout_seconds, 90);
  EXPECT_EQ(sweep.retries, 0);
  EXPECT_EQ(sweep.seed, 7U);
  EXPECT_THAT(sweep.enqueue, SizeIs(1));
  EXPECT_THAT(sweep.command, ElementsAre("train", "${args}"));
}

TEST(Sweep, AMetricIsANameOrAMappingOrAListOfThem) {
  const std::string parameters = "parameters: {a: {value: 1}}\n";
  const auto objectives = [&](const std::string& metric) { return parse(parameters + "metric: " + metric).objectives; };
  EXPECT_FALSE(objectives("{name: loss}").at(0).maximize);
  EXPECT_FALSE(objectives("{name: loss, goal: minimize}").at(0).maximize);
  EXPECT_TRUE(objectives("{name: accuracy, goal: maximize}").at(0).maximize);
  const auto two = objectives("[{name: accuracy, goal: maximize}, eval/loss]");
  ASSERT_THAT(two, SizeIs(2));
  EXPECT_TRUE(two[0].maximize);
  EXPECT_EQ(two[1].name, "eval/loss");
}

TEST(Sweep, RefusesMetricsThatSayNothing) {
  EXPECT_THAT(refusal_of_file("parameters: {a: {value: 1}}\n"), StartsWith("metric is missing"));
  const auto metric = [](const std::string& text) {
    return refusal_of_file("parameters: {a: {value: 1}}\nmetric: " + text);
  };
  EXPECT_EQ(metric("{goal: maximize}"),
            "metric has no name: which member of a trial's last metric record it is (sweep.yaml line 2 column 1)");
  EXPECT_EQ(metric("{name: a, goal: maximise}"),
            "metric.goal must be one of minimize, maximize, got maximise; did you mean maximize? (sweep.yaml line 2 "
            "column 19)");
  EXPECT_THAT(metric("{name: a, target: 3}"), StartsWith("unknown key metric.target; there are name, goal"));
  EXPECT_THAT(metric("[a, {name: a}]"), StartsWith("metric names a twice (sweep.yaml line 2 column 13)"));
  EXPECT_THAT(metric("[]"), StartsWith("metric must name one or more"));
  EXPECT_THAT(metric("''"), StartsWith("metric must have a name"));
  EXPECT_THAT(metric("[[a]]"), StartsWith("metric must be a name or a mapping"));
  EXPECT_THAT(metric("~"), StartsWith("metric must be a name or a mapping of name and goal, got nothing"));
}

TEST(Sweep, RefusesUnknownKeys) {
  EXPECT_EQ(refusal("n_trial: 3"), "unknown key n_trial; did you mean n_trials? (sweep.yaml line 4 column 1)");
  EXPECT_THAT(refusal("lr: 3"), StartsWith("unknown key lr; there are name, description, method"));
  EXPECT_EQ(refusal("seed: 1\nseed: 2"), "seed is given twice (sweep.yaml line 5 column 1)");
}

TEST(Sweep, RefusesKeysOfOthersByName) {
  EXPECT_EQ(refusal("early_terminate: {type: hyperband}"),
            "early_terminate is not supported: trials run to their end (sweep.yaml line 4 column 1)");
  EXPECT_THAT(refusal("project: x"), StartsWith("project is for wandb's server"));
  EXPECT_THAT(refusal("direction: maximize"), StartsWith("direction is said by metric"));
  EXPECT_THAT(refusal("sampler: tpe"), StartsWith("sampler is called method here"));
}

TEST(Sweep, TakesAnAcquisitionForBayesAlone) {
  EXPECT_EQ(with("").acquisition, "log-ei");
  EXPECT_EQ(with("acquisition: thompson").acquisition, "thompson");
  EXPECT_THAT(refusal("acquisition: usb"), StartsWith("acquisition must be one of log-ei, ucb, thompson, got usb"));
  EXPECT_EQ(refusal("acquisition: ucb\nmethod: tpe"),
            "acquisition is for method bayes, got method tpe (sweep.yaml line 4 column 1)");
}

TEST(Sweep, RefusesAMethodThatThereIsNot) {
  EXPECT_EQ(refusal("method: baies"),
            "method must be one of grid, random, qmc, bayes, tpe, cma-es, evolution, got baies; did you mean bayes? "
            "(sweep.yaml line 4 column 1)");
}

TEST(Sweep, RefusesByItsPlaceWhatAMethodCannotSearch) {
  EXPECT_THAT(refusal_of_file("metric: a\nparameters: {x: {min: 0.0, max: 1.0}}\nmethod: grid\n"),
              HasSubstr("line 3 column 1"));
  EXPECT_THAT(refusal("method: cma-es\nmetric: x"), StartsWith("metric is given twice"));
  EXPECT_THAT(refusal_of_file("metric: [a, b]\nparameters: {x: {min: 0, max: 9}}\nmethod: cma-es\n"),
              StartsWith("method: method cma-es searches for one objective, got 2"));
  EXPECT_THAT(refusal_of_file("metric: [a, b, c, d, e, f, g]\nparameters: {x: {min: 0, max: 9}}\n"),
              StartsWith("metric: bayes takes up to 6 objectives, got 7"));
}

TEST(Sweep, RefusesWhatOnlyARunnerHeedsWhereNothingIsToBeRun) {
  for (const char* key : {"n_jobs", "timeout", "trial_timeout", "retries"}) {
    const fs::path path = fs::temp_directory_path() / ("trireme-sweep-" + std::to_string(::getpid()) + ".yaml");
    write_file_atomically(path, kSmall + key + ": 2\ncommand: [a]");
    EXPECT_NO_THROW(read_sweep(path));
    write_file_atomically(path, kSmall + key + ": 2\n");
    EXPECT_THAT([&] { read_sweep(path); },
                ::testing::ThrowsMessage<Error>(::testing::AllOf(
                    StartsWith(std::string(key) + " is for trials that trireme-tune runs: it goes with command"),
                    HasSubstr("line 4 column 1"))));
    EXPECT_NO_THROW(with(std::string(key) + ": 2")) << "as a study may have it";
    fs::remove(path);
  }
}

TEST(Sweep, KnowsWhatChangedInAFile) {
  const std::string before = kSmall + "seed: 1\ncommand: [a, b]\nrun_cap: 3\n";
  const auto changed = [&](const std::string& now) { return changed_keys(before, now); };
  EXPECT_THAT(changed("# other\nrun_cap:   3\n" + kSmall + "command:\n  - a\n  - b\nseed: 1  # one\n"), IsEmpty());
  EXPECT_THAT(changed(kSmall + "seed: 1\ncommand: [a, c]\nrun_cap: 4\n"), ElementsAre("command", "run_cap"));
  EXPECT_EQ(
      changed_keys("parameters: {a: {value: 1}, b: {value: 2}}", "parameters: {b: {value: 2}, a: {value: 1}}").size(),
      1U)
      << "it is the order of the search";
  EXPECT_THAT(changed(kSmall + "seed: 1.0\ncommand: [a, b]\nname: x\n"), ElementsAre("seed", "run_cap", "name"));
  EXPECT_TRUE(is_limit("run_cap"));
  EXPECT_FALSE(is_limit("seed"));
}

TEST(Sweep, RefusesAFileWithoutParameters) {
  EXPECT_EQ(refusal_of_file("metric: a"), "parameters is missing: what is searched over (sweep.yaml line 1 column 1)");
  EXPECT_THAT(refusal_of_file("metric: a\nparameters: {}"),
              StartsWith("parameters must hold a parameter or more, got an empty mapping (sweep.yaml line 2"));
  EXPECT_THAT(refusal_of_file("metric: a\nparameters:\n"),
              StartsWith("parameters must be a mapping of keys, got noth"));
  EXPECT_THAT(refusal_of_file(""), StartsWith("the file must be a mapping of keys, got nothing"));
  EXPECT_THAT(refusal_of_file("[]"), StartsWith("the file must be a mapping of keys, got a list"));
  EXPECT_THAT(refusal_of_file("a: [1"), StartsWith("not YAML: "));
}

TEST(Sweep, RefusesConstraintsByTheirPlace) {
  EXPECT_EQ(
      refusal("constraints:\n  - width * * 2 < 3\n"),
      "constraints: constraint \"width * * 2 < 3\" column 9: expected a number, a parameter, 'text' or (, got * 2 < "
      "3 (sweep.yaml line 5 column 5)");
  EXPECT_EQ(refusal("constraints: [widths < 3]\n"),
            "constraints: \"widths < 3\" names widths, which is no parameter; did you mean width? (sweep.yaml line 4 "
            "column 15)");
  EXPECT_THAT(refusal("constraints: width < 3"), StartsWith("constraints must be a list, got width < 3"));
  std::string many = "constraints: [";
  for (int i = 0; i <= 100; ++i) many += "width < 3, ";
  EXPECT_THAT(refusal(many + "]"), StartsWith("constraints must be 100 or fewer"));
}

TEST(Sweep, RunCapAndTrialsSayTheSame) {
  EXPECT_EQ(with("n_trials: 9").trials, 9);
  EXPECT_EQ(with("n_trials: 9\nrun_cap: 9").trials, 9);
  EXPECT_EQ(refusal("run_cap: 8\nn_trials: 9"),
            "n_trials and run_cap say the same thing, but differ: 9 and 8 (sweep.yaml line 5 column 1)");
}

TEST(Sweep, RefusesNumbersOutOfRange) {
  EXPECT_EQ(refusal("run_cap: 0"),
            "run_cap must be an integer from 1 to 1000000000, got 0 (sweep.yaml line 4 column 1)");
  EXPECT_THAT(refusal("n_jobs: -1"), StartsWith("n_jobs must be an integer from 1 to 1024, got -1"));
  EXPECT_THAT(refusal("retries: 1.5"), StartsWith("retries must be an integer from 0 to 100, got 1.5"));
  EXPECT_THAT(refusal("seed: -1"), StartsWith("seed must be an integer from 0 to 9223372036854775807, got -1"));
  EXPECT_EQ(with("seed: 9223372036854775807").seed, 9223372036854775807U);
  EXPECT_THAT(refusal("timeout: 0"), StartsWith("timeout must be a duration above 0"));
  EXPECT_THAT(refusal("trial_timeout: soon"), HasSubstr("got soon"));
}

const std::string kConditional =
    "metric: loss\n"
    "parameters:\n"
    "  optimizer: {learning-rate: {min: 1e-5, max: 1e-1, log: true}}\n"
    "  schedule: {values: [wsd, cosine]}\n"
    "  decay: {min: 0.1, max: 0.5, when: {schedule: wsd}}\n"
    "  layers: {min: 1, max: 8}\n"
    "  heads: {value: 4}\n"
    "constraints: [layers * heads <= 24]\n"
    "enqueue:\n";

TEST(Sweep, AnEnqueuedPointHasAllActiveParametersInTheOrderOfTheSpace) {
  const Sweep sweep = parse(kConditional +
                            "  - {layers: 3.0, optimizer.learning-rate: 1e-3, schedule: cosine}\n"
                            "  - {decay: 0.2, optimizer: {learning-rate: 0.05}, schedule: wsd, layers: 3, heads: 4}\n");
  ASSERT_THAT(sweep.enqueue, SizeIs(2));
  const auto text = [](const Parameters& parameters) {
    std::string text;
    for (const Parameter& one : parameters) text += one.name + "=" + value_text(one.value) + " ";
    return text;
  };
  EXPECT_EQ(text(sweep.enqueue[0]), "optimizer.learning-rate=0.001 schedule=cosine layers=3 heads=4 ");
  EXPECT_EQ(text(sweep.enqueue[1]), "optimizer.learning-rate=0.05 schedule=wsd decay=0.2 layers=3 heads=4 ");
}

TEST(Sweep, AnEnqueuedPointHasTheTypesOfTheSpace) {
  const Sweep sweep = parse(
      "metric: a\nparameters: {x: {min: 0.0, max: 2.0}, c: {values: [1.0, 2]}}\n"
      "enqueue: [{x: 1, c: 1}]\n");
  EXPECT_EQ(sweep.enqueue.at(0).at(0).value, Value(1.0));
  EXPECT_EQ(sweep.enqueue.at(0).at(1).value, Value(1.0));
}

TEST(Sweep, RefusesToEnqueueWhatIsNoPointOfTheSpace) {
  const auto enqueued = [](const std::string& point) { return refusal_of_file(kConditional + "  - " + point); };
  const std::string rate = "optimizer.learning-rate: 0.01";
  EXPECT_EQ(enqueued("{" + rate + ", schedule: wsd, layers: 3}"),
            "enqueue: parameter decay is missing (sweep.yaml line 10 column 5)");
  EXPECT_THAT(enqueued("{" + rate + ", schedule: cosine, layers: 3, decay: 0.2}"), HasSubstr("decay is not there"));
  EXPECT_THAT(enqueued("{learning-rate: 0.01, schedule: cosine, layers: 3}"),
              HasSubstr("unknown parameter learning-rate; did you mean optimizer.learning-rate?"));
  EXPECT_THAT(enqueued("{" + rate + ", schedule: linear, layers: 3}"), HasSubstr("got linear"));
  EXPECT_THAT(enqueued("{" + rate + ", schedule: cosine, layers: 9}"), HasSubstr("got 9"));
  EXPECT_THAT(enqueued("{" + rate + ", schedule: cosine, layers: 8}"), HasSubstr("breaks the constraint"));
  EXPECT_THAT(enqueued("{" + rate + ", schedule: cosine, layers: 3, heads: 5}"), HasSubstr("got 5"));
  EXPECT_THAT(enqueued("{" + rate + ", optimizer: {learning-rate: 0.01}}"), HasSubstr("is given twice"));
  EXPECT_THAT(enqueued("{layers: [3]}"), StartsWith("enqueue.layers must be a number, a text, true or false"));
  EXPECT_THAT(enqueued("3"), StartsWith("enqueue must be a mapping"));
  EXPECT_THAT(enqueued("&a {layers: *a}"), HasSubstr("nested too deep"));
}

TEST(Sweep, ACommandIsAListOrOneText) {
  EXPECT_THAT(with("command: [a, 1, '${args}', '$$']").command, ElementsAre("a", "1", "${args}", "$$"));
  EXPECT_EQ(with("command: a ${args} | b").shell_command, "a ${args} | b");
  EXPECT_THAT(with("command: a ${args} | b").command, IsEmpty());
}

TEST(Sweep, AProgramIsStartedAsWandbDoes) {
  EXPECT_THAT(with("program: train.py").command, ElementsAre("/usr/bin/env", "python3", "train.py", "${args}"));
  EXPECT_THAT(with("program: train.py\ncommand: ['${interpreter}', -u, '${program}', '${args_no_hyphens}']").command,
              ElementsAre("python3", "-u", "train.py", "${args_no_hyphens}"));
  EXPECT_EQ(with("program: my train.py\ncommand: nice ${program} ${args}").shell_command, "nice 'my train.py' ${args}");
}

TEST(Sweep, RefusesCommandsByTheirPlace) {
  EXPECT_EQ(refusal("command: [train, '${params.widht}x']"),
            "command: ${params.widht} names no parameter (sweep.yaml line 4 column 18)");
  EXPECT_THAT(refusal("command: [train, '${params.widt}']"), HasSubstr("names no parameter; did you mean width?"));
  EXPECT_THAT(refusal("command: train ${arg}"), StartsWith("command: unknown ${arg}; did you mean args?"));
  EXPECT_THAT(refusal("command: train '${args}'"), StartsWith("command: ${args} stands in quotes"));
  EXPECT_THAT(refusal("command: ['${program}']"), StartsWith("command: ${program} needs the key program (sweep.yaml"));
  EXPECT_THAT(refusal("program: a.py\ncommand: [b]"), StartsWith("program is not used: command has no ${program}"));
  EXPECT_THAT(refusal("program: a.py\ncommand: b"), StartsWith("program is not used: command has no ${program}"));
  EXPECT_THAT(refusal("program: ''"), StartsWith("program must be the path of a script"));
  EXPECT_THAT(refusal("command: []"), StartsWith("command must hold a word or more"));
  EXPECT_THAT(refusal("command: ''"), StartsWith("command must not be empty"));
  EXPECT_THAT(refusal("command: {a: 1}"), StartsWith("command must be a list of words or one text, got a mapping"));
  EXPECT_THAT(refusal("command: [[a]]"), StartsWith("command must be a text, got a list"));
}

TEST(Sweep, ABaseIsRelativeToTheSweepFile) {
  EXPECT_EQ(with("base: train.yaml\nranks: 2\nthreads: 4").base, "train.yaml");
  EXPECT_EQ(with("base: train.yaml\nranks: 2").ranks, 2);
  EXPECT_EQ(with("base: train.yaml\nthreads: 4").threads, 4);
  EXPECT_EQ(parse_sweep(kSmall + "base: ../train.yaml", "/a/b/sweep.yaml").base, "/a/train.yaml");
  EXPECT_EQ(parse_sweep(kSmall + "base: /c/train.yaml", "/a/b/sweep.yaml").base, "/c/train.yaml");
}

TEST(Sweep, RefusesABaseBesideACommand) {
  EXPECT_EQ(refusal("base: a\ncommand: b"),
            "command and base both say what a trial runs: give one of them (sweep.yaml line 5 column 1)");
  EXPECT_THAT(refusal("program: b\nbase: a"), StartsWith("program and base both say"));
  EXPECT_THAT(refusal("ranks: 2"), StartsWith("ranks is for training jobs: it goes with base"));
  EXPECT_THAT(refusal("command: a\nthreads: 2"), StartsWith("threads is for training jobs"));
  EXPECT_THAT(refusal("base: ''"), StartsWith("base must be the path"));
  EXPECT_THAT(refusal("base: a\nranks: 0"), StartsWith("ranks must be an integer from 1"));
}

TEST(Sweep, IsReadFromAFile) {
  const fs::path folder = fs::temp_directory_path() / ("sweep_test_" + std::to_string(getpid()));
  fs::create_directories(folder);
  write_file_atomically(folder / "sweep.yaml", kSmall + "base: train.yaml\n");
  EXPECT_EQ(read_sweep(folder / "sweep.yaml").base, (folder / "train.yaml").string());
  try {
    read_sweep(folder / "none.yaml");
    ADD_FAILURE() << "a file that is not there was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  }
  fs::remove_all(folder);
}

/// Files made of pieces that are right by themselves.
class RandomSweep {
 public:
  explicit RandomSweep(std::uint64_t number) : stream_(1, "sweep_test"), number_(number) {}

  std::string yaml() {
    std::string yaml = "parameters:\n";
    const std::uint64_t count = 1 + draw(5);
    for (std::uint64_t i = 0; i < count; ++i)
      yaml += "  p" + std::to_string(i) + ": {" + pick(kRanges) + (i > 0 && draw(3) == 0 ? ", when: {first: a}" : "") +
              "}\n";
    yaml += "  first: {values: [a, b]}\n";
    for (const auto& choices : kKeys) yaml += pick(choices) + "\n";
    return yaml;
  }

  std::string damaged(std::string yaml) {
    static const std::string kSigns = "{}[]:,-'\"\n #&*|>%@`\\\t?!~.$0";
    for (std::uint64_t i = 0; i <= draw(3); ++i) {
      const std::size_t at = draw(yaml.size());
      const char sign = draw(2) == 0 ? kSigns[draw(kSigns.size())] : static_cast<char>(draw(256));
      if (draw(3) == 0)
        yaml.erase(at, 1 + draw(8));
      else if (draw(2) == 0)
        yaml.insert(at, 1, sign);
      else
        yaml[at] = sign;
      if (yaml.empty()) return yaml;
    }
    return yaml;
  }

  std::uint64_t draw(std::uint64_t count) { return stream_.bits(number_, lane_++) % count; }

 private:
  using Choices = std::vector<std::string>;
  const std::string& pick(const Choices& choices) { return choices[draw(choices.size())]; }

  inline static const Choices kRanges{"value: 3",
                                      "values: [1, 2.5, adam, true]",
                                      "values: [x, y], probabilities: [0.5, 0.5]",
                                      "min: 1, max: 8",
                                      "min: 0.0, max: 1.0",
                                      "min: 1e-5, max: 1e-1, log: true",
                                      "min: 1, max: 1024, log: true",
                                      "min: 0, max: 1, q: 0.25",
                                      "distribution: int_uniform, min: 1, max: 5",
                                      "distribution: q_log_uniform_values, min: 1, max: 64",
                                      "mu: 0, sigma: 2",
                                      "distribution: log_normal",
                                      "distribution: q_normal, sigma: 4, q: 0.5"};
  inline static const std::vector<Choices> kKeys{
      {"  group: {parameters: {deep: {min: 1, max: 2}}}", "  group: {deep: {value: 1}}", ""},
      {"metric: loss", "metric: {name: loss, goal: maximize}", "metric: [a, {name: b}]"},
      {"", "method: random", "method: tpe", "name: x\nmethod: bayes"},
      {"", "constraints: [first == 'a' or first == 'b']"},
      {"", "run_cap: 20", "n_trials: 7"},
      {"", "command: [train, '${args}', '--trial=${trial}']\nn_jobs: 2", "command: train ${args} > ${run}/log",
       "program: train.py\ntimeout: 1h\ntrial_timeout: 30", "base: train.yaml\nranks: 2"}};
  RandomStream stream_;
  std::uint64_t number_, lane_ = 0;
};

TEST(Sweep, AnythingMadeOfRightPiecesIsRead) {
  for (std::uint64_t i = 0; i < 300; ++i) {
    RandomSweep random(i);
    const std::string yaml = random.yaml();
    EXPECT_NO_THROW({
      const Sweep sweep = parse(yaml);
      EXPECT_EQ(parse(sweep.text).space.size(), sweep.space.size());
    }) << yaml;
  }
}

TEST(Sweep, AnythingDamagedIsReadOrRefusedInOneLine) {
  int refused = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    RandomSweep random(i);
    const std::string yaml = random.damaged(random.yaml());
    try {
      parse(yaml);
    } catch (const Error& error) {
      ++refused;
      EXPECT_EQ(error.code(), ErrorCode::kUsage) << yaml;
      EXPECT_THAT(error.what(), HasSubstr("sweep.yaml line ")) << yaml;
      EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos);
    }
  }
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace trireme::tune
