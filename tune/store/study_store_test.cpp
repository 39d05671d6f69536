#include "tune/store/study_store.h"

#include <bit>

#include "tune/store/study_testing.h"

namespace trireme::tune {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::SizeIs;

using StudyStoreTest = OnEachDatabase;
INSTANTIATE_TEST_SUITE_P(, StudyStoreTest, testing::Values("sqlite", "postgresql"), database_name);

constexpr double kLease = 3600;

Trial claim(StudyStore& store, double lease_seconds = kLease, const std::string& worker = "") {
  return store.claim({worker, lease_seconds}, propose_number).value();
}

TEST_P(StudyStoreTest, KeepsWhatItWasMadeFrom) {
  EXPECT_FALSE(StudyStore::exists(location()));
  EXPECT_THAT([&] { StudyStore::open(location()); }, throws_error(ErrorCode::kNotFound, "no study"));
  EXPECT_GT(create().record().created, 1.7e9);
  EXPECT_TRUE(StudyStore::exists(location()));
  StudyStore store = StudyStore::open(location());
  EXPECT_EQ(store.record().sweep, "method: random\n");
  EXPECT_EQ(store.record().origin, "sweep.yaml");
  EXPECT_EQ(store.location(), location());
  EXPECT_THAT(store.trials(), SizeIs(0));
}

TEST_P(StudyStoreTest, IsNotMadeTwice) {
  StudyStore store = create();
  claim(store);
  EXPECT_THAT([&] { create(); }, throws_error(ErrorCode::kUsage, "already"));
  EXPECT_THAT(StudyStore::open(location()).trials(), SizeIs(1));
}

TEST_P(StudyStoreTest, GoesThroughATrial) {
  StudyStore store = create();
  const double before = store.record().created;
  const auto propose = [](const std::vector<Trial>&, std::int64_t) { return Proposal{{{"x", 0.5}}, "why"}; };
  const Trial trial = store.claim({"here:1:2", kLease}, propose).value();
  EXPECT_EQ(trial.number, 0);
  EXPECT_EQ(trial.attempt, 1);
  EXPECT_EQ(trial.state, TrialState::kRunning);
  EXPECT_NEAR(trial.lease_until, before + kLease, 100);
  store.finish(0, 1, {TrialState::kComplete, {0.25, -1}});
  const Trial ended = store.trials().at(0);
  EXPECT_EQ(ended.state, TrialState::kComplete);
  EXPECT_THAT(ended.values, ElementsAre(0.25, -1));
  EXPECT_THAT(ended.parameters, ElementsAre(Field(&Parameter::value, Value(0.5))));
  EXPECT_EQ(ended.note, "why");
  EXPECT_EQ(ended.worker, "here:1:2");
  EXPECT_EQ(ended.lease_until, 0);
  EXPECT_GE(ended.created, before);
  EXPECT_GE(ended.started, ended.created);
  EXPECT_GE(ended.ended, ended.started);
}

TEST_P(StudyStoreTest, TakesWaitingTrialsByNumberBeforeItAsksForNewOnes) {
  StudyStore store = create();
  EXPECT_EQ(store.enqueue({{"x", std::int64_t{7}}}), 0);
  EXPECT_EQ(store.enqueue({{"x", std::int64_t{8}}}), 1);
  EXPECT_EQ(claim(store).number, 0);
  EXPECT_EQ(claim(store).number, 1);
  EXPECT_EQ(claim(store).number, 2);
  store.release(1, 1, "stopped");
  EXPECT_EQ(store.trials().at(1).state, TrialState::kWaiting);
  EXPECT_EQ(store.trials().at(1).reason, "stopped");
  const Trial again = claim(store);
  EXPECT_EQ(again.number, 1);
  EXPECT_EQ(again.attempt, 2);
  EXPECT_EQ(std::get<std::int64_t>(again.parameters.at(0).value), 8);
}

TEST_P(StudyStoreTest, AFailedTrialMayBeTriedAgain) {
  StudyStore store = create();
  claim(store), claim(store);
  store.finish(0, 1, {TrialState::kFailed, {}, "diverged"});
  store.finish(1, 1, {TrialState::kComplete, {1}, ""});
  store.retry(0);
  EXPECT_EQ(store.trials().at(0).state, TrialState::kWaiting);
  EXPECT_THAT([&] { store.retry(0); }, throws_error(ErrorCode::kBadInput, "trial 0 has not failed: it is waiting"));
  EXPECT_THAT([&] { store.retry(1); }, throws_error(ErrorCode::kBadInput, "it is complete with 1"));
  EXPECT_THAT([&] { store.retry(2); }, throws_error(ErrorCode::kBadInput, "there is no trial 2"));
  const Trial again = claim(store);
  EXPECT_EQ(again.number, 0);
  EXPECT_EQ(again.attempt, 2);
  store.finish(0, 2, {TrialState::kComplete, {3}, ""});
  EXPECT_THAT(store.trials().at(0).values, ElementsAre(3));
}

TEST_P(StudyStoreTest, KeepsAnotherSweepFile) {
  StudyStore store = create();
  claim(store);
  store.set_sweep("method: grid\n", "other.yaml");
  EXPECT_EQ(store.record().sweep, "method: grid\n");
  StudyStore again = StudyStore::open(location());
  EXPECT_EQ(again.record().sweep, "method: grid\n");
  EXPECT_EQ(again.record().origin, "other.yaml");
  EXPECT_EQ(again.record().created, store.record().created);
  EXPECT_THAT(again.trials(), SizeIs(1));
}

TEST_P(StudyStoreTest, AProposalSeesAllTrialsBeforeIt) {
  StudyStore mine = create(), other = StudyStore::open(location());
  claim(other);
  other.finish(0, 1, {TrialState::kFailed, {}, "diverged"});
  other.enqueue({{"x", 1.5}});
  claim(other);
  mine.claim({}, [&](const std::vector<Trial>& trials, std::int64_t number) {
    EXPECT_EQ(number, 2);
    EXPECT_THAT(trials,
                ElementsAre(Field(&Trial::state, TrialState::kFailed), Field(&Trial::state, TrialState::kRunning)));
    return propose_number(trials, number);
  });
  EXPECT_THAT(other.trials(), SizeIs(3));
}

TEST_P(StudyStoreTest, GivesNothingWhereTheSpaceIsExhaustedOrTheLimitIsReached) {
  StudyStore store = create();
  EXPECT_EQ(store.claim({}, [](const auto&, auto) { return std::nullopt; }), std::nullopt);
  EXPECT_THAT(store.trials(), SizeIs(0));
  EXPECT_TRUE(store.claim({"", 0, 2}, propose_number));
  EXPECT_TRUE(store.claim({"", 0, 2}, propose_number));
  EXPECT_FALSE(store.claim({"", 0, 2}, propose_number));
  store.release(0, 1, "");
  EXPECT_TRUE(store.claim({"", 0, 2}, propose_number)) << "the limit is on new ones";
  EXPECT_FALSE(store.claim({"", 0, 2}, propose_number));
}

TEST_P(StudyStoreTest, AProposalThatThrowsLeavesNothingBehind) {
  StudyStore store = create();
  const auto fails = [](const auto&, auto) -> std::optional<Proposal> { throw std::logic_error("no idea"); };
  EXPECT_THAT([&] { store.claim({}, fails); }, testing::ThrowsMessage<std::logic_error>("no idea"));
  EXPECT_EQ(claim(store).number, 0);
  EXPECT_THAT(store.trials(), SizeIs(1));
}

TEST_P(StudyStoreTest, ALeaseThatRanOutIsTakenUnderANewAttempt) {
  StudyStore store = create();
  claim(store, 1e-9, "first");
  const Trial second = claim(store, kLease, "second");
  EXPECT_EQ(second.number, 0);
  EXPECT_EQ(second.attempt, 2);
  EXPECT_THAT([&] { store.renew(0, 1, kLease); }, throws_error(ErrorCode::kTakenOver, "second has it as attempt 2"));
  EXPECT_THAT([&] { store.release(0, 1, ""); }, throws_error(ErrorCode::kTakenOver, "attempt 2"));
  EXPECT_THAT([&] { store.finish(0, 1, {TrialState::kComplete, {1}}); },
              throws_error(ErrorCode::kTakenOver, "attempt 2"));
  store.finish(0, 2, {TrialState::kComplete, {2}});
  EXPECT_THAT([&] { store.finish(0, 1, {TrialState::kComplete, {1}}); }, throws_error(ErrorCode::kTakenOver, "ended"));
  EXPECT_THAT([&] { store.renew(0, 2, kLease); }, throws_error(ErrorCode::kTakenOver, "complete with 2"));
  EXPECT_THAT(store.trials().at(0).values, ElementsAre(2));
}

TEST_P(StudyStoreTest, ALeaseThatNobodyTookIsStillItsHolders) {
  StudyStore store = create();
  claim(store, 1e-9);
  store.renew(0, 1, kLease);
  EXPECT_EQ(claim(store).number, 1);
  EXPECT_GT(store.trials().at(0).lease_until, store.record().created + kLease / 2);
  claim(store, 1e-9);
  store.finish(2, 1, {TrialState::kComplete, {1}});
  EXPECT_EQ(claim(store).number, 3);
}

TEST_P(StudyStoreTest, ATrialWithoutALeaseIsNeverTaken) {
  StudyStore store = create();
  claim(store, 0);
  EXPECT_EQ(claim(store).number, 1);
  store.renew(1, 1, 0);
  EXPECT_EQ(store.trials().at(1).lease_until, 0);
}

TEST_P(StudyStoreTest, ALeaseOfADeadHolderRunsOutAtOnce) {
  StudyStore store = create();
  claim(store);
  claim(store, 0);
  store.expire(0, 1);
  store.expire(1, 1);
  EXPECT_EQ(claim(store).number, 0);
  EXPECT_EQ(claim(store).number, 1);
  store.expire(0, 1);  // of an earlier attempt
  store.finish(1, 2, {TrialState::kInfeasible});
  store.expire(1, 2);  // its holder told before it died
  EXPECT_EQ(claim(store).number, 2);
  EXPECT_EQ(store.trials().at(1).state, TrialState::kInfeasible);
  EXPECT_THAT([&] { store.expire(3, 1); }, throws_error(ErrorCode::kBadInput, "no trial 3"));
}

TEST_P(StudyStoreTest, IsNotToldTwice) {
  StudyStore store = create();
  claim(store);
  claim(store);
  store.finish(0, 1, {TrialState::kComplete, {0.1, 2}});
  const TrialResult other{TrialState::kComplete, {7, 7}};
  EXPECT_THAT([&] { store.finish(0, 1, other); }, throws_error(ErrorCode::kBadInput, "complete with 0.1, 2"));
  EXPECT_THAT([&] { store.finish(0, {}, other); }, throws_error(ErrorCode::kBadInput, "trial 0 has ended already"));
  store.finish(1, {}, {TrialState::kFailed, {}, "exit status 1"});
  EXPECT_THAT([&] { store.finish(1, 1, other); }, throws_error(ErrorCode::kBadInput, "failed: exit status 1"));
  EXPECT_THAT(store.trials().at(0).values, ElementsAre(0.1, 2));
}

TEST_P(StudyStoreTest, RefusesATrialThatIsNotThere) {
  StudyStore store = create();
  claim(store);
  for (const std::int64_t number : {std::int64_t{-1}, std::int64_t{1}, std::int64_t{1} << 62}) {
    const std::string text = "no trial " + std::to_string(number) + ": the study has 1";
    EXPECT_THAT([&] { store.finish(number, {}, {TrialState::kComplete, {1}}); },
                throws_error(ErrorCode::kBadInput, text));
    EXPECT_THAT([&] { store.renew(number, 1, 1); }, throws_error(ErrorCode::kBadInput, text));
    EXPECT_THAT([&] { store.release(number, 1, ""); }, throws_error(ErrorCode::kBadInput, text));
  }
}

TEST_P(StudyStoreTest, RefusesResultsThatAreNone) {
  StudyStore store = create();
  claim(store);
  const auto finish = [&](TrialResult result) { return [&store, result] { store.finish(0, 1, result); }; };
  EXPECT_THAT(finish({TrialState::kComplete, {}}), throws_error(ErrorCode::kBadInput, "got 0"));
  EXPECT_THAT(finish({TrialState::kFailed, {1}}), throws_error(ErrorCode::kBadInput, "got 1"));
  EXPECT_THAT(finish({TrialState::kComplete, {1, NAN}}), throws_error(ErrorCode::kBadInput, "finite"));
  EXPECT_THAT(finish({TrialState::kComplete, {INFINITY}}), throws_error(ErrorCode::kBadInput, "got inf"));
  EXPECT_THAT([&] { store.enqueue({{"x", NAN}}); }, throws_error(ErrorCode::kBadInput, "parameter x"));
  EXPECT_THAT([&] { store.enqueue({{"x", 1.0}, {"x", 2.0}}); }, throws_error(ErrorCode::kBadInput, "twice"));
  EXPECT_THAT([&] { store.enqueue({{"x", std::string("\xff")}}); }, throws_error(ErrorCode::kBadInput, "UTF-8"));
  EXPECT_THAT([&] { store.renew(0, 1, -1); }, throws_error(ErrorCode::kUsage, "lease"));
  EXPECT_THAT([&] { store.renew(0, 1, NAN); }, throws_error(ErrorCode::kUsage, "lease"));
  EXPECT_EQ(store.trials().at(0).state, TrialState::kRunning);
  EXPECT_THAT(store.trials(), SizeIs(1));
}

TEST_P(StudyStoreTest, GivesBackAnyTextAsItWas) {
  const std::vector<std::string> texts{"",
                                       "'; drop table trireme_tune_trial; --",
                                       "\"$1\\",
                                       "🦀 žluť",
                                       std::string("a\0b", 3),
                                       "line\nline\r\t",
                                       "null",
                                       std::string(1 << 20, 'x')};
  StudyStore store = create();
  Parameters parameters;
  for (const std::string& text : texts) parameters.push_back({"z" + text, text});
  parameters.push_back({"a", true});  // behind z: the order is the space's, not the alphabet's
  store.enqueue(parameters);
  const Parameters read = StudyStore::open(location()).trials().at(0).parameters;
  ASSERT_THAT(read, SizeIs(parameters.size()));
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].name, parameters[i].name);
    EXPECT_EQ(read[i].value, parameters[i].value);
  }
}

TEST_P(StudyStoreTest, MakesWhatIsSaidOneLineOfText) {
  StudyStore store = create();
  claim(store, kLease, "host\xff:1");
  store.finish(0, 1, {TrialState::kFailed, {}, std::string("a\0b\n\xff", 5)});
  const Trial trial = StudyStore::open(location()).trials().at(0);
  EXPECT_EQ(trial.worker, "host\uFFFD:1");
  EXPECT_EQ(trial.reason, "a\\x00b\\n\uFFFD");
}

TEST_P(StudyStoreTest, GivesBackAnyNumberToTheBit) {
  const std::vector<double> numbers{0.1, 1e-300, -0.0, 1e308, 5e-324, 1, -1.7976931348623157e308, 3e-4, 1e17, 1.0 / 3};
  StudyStore store = create();
  Parameters parameters;
  for (std::size_t i = 0; i < numbers.size(); ++i) parameters.push_back({std::to_string(i), numbers[i]});
  parameters.push_back({"least", INT64_MIN});
  parameters.push_back({"most", INT64_MAX});
  store.enqueue(parameters);
  claim(store);
  store.finish(0, 1, {TrialState::kComplete, numbers});
  const Trial trial = StudyStore::open(location()).trials().at(0);
  ASSERT_THAT(trial.values, SizeIs(numbers.size()));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto bits = std::bit_cast<std::uint64_t>(numbers[i]);
    EXPECT_EQ(std::bit_cast<std::uint64_t>(trial.values[i]), bits) << numbers[i];
    EXPECT_EQ(std::bit_cast<std::uint64_t>(std::get<double>(trial.parameters[i].value)), bits) << numbers[i];
  }
  EXPECT_EQ(trial.parameters.at(numbers.size()).value, Value(INT64_MIN));
  EXPECT_EQ(trial.parameters.at(numbers.size() + 1).value, Value(INT64_MAX));
}

TEST_P(StudyStoreTest, SeesWhatOthersChangedAndKeepsTheRest) {
  StudyStore mine = create(), other = StudyStore::open(location());
  for (int i = 0; i < 5; ++i) claim(other);
  EXPECT_THAT(mine.trials(), SizeIs(5));
  other.finish(3, 1, {TrialState::kComplete, {3}});
  other.release(1, 1, "given back");
  claim(mine);
  const std::vector<Trial> all = mine.trials(), fresh = StudyStore::open(location()).trials();
  ASSERT_THAT(all, SizeIs(5));
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].number, static_cast<std::int64_t>(i));
    EXPECT_EQ(all[i].state, fresh[i].state) << i;
    EXPECT_EQ(all[i].attempt, fresh[i].attempt) << i;
  }
  EXPECT_EQ(all[1].attempt, 2);
  EXPECT_EQ(all[3].state, TrialState::kComplete);
}

TEST_P(StudyStoreTest, RefusesTablesOfANewerVersionAndNamesBoth) {
  create();
  change_tables("update trireme_tune_format set version = 99");
  const auto refuses = throws_error(ErrorCode::kBadInput, "has format 99; this program knows formats up to 1");
  EXPECT_THAT([&] { StudyStore::open(location()); }, refuses);
  if (is_file()) return;
  EXPECT_THAT([&] { StudyStore::create(location() + "&study=other", {}); }, refuses);
  EXPECT_THAT([&] { StudyStore::exists(location()); }, refuses);
}

TEST_P(StudyStoreTest, SaysThatItsTablesAreDamaged) {
  StudyStore store = create();
  for (int i = 0; i < 3; ++i) claim(store);
  const auto refuses = [&](const std::string& text) {
    EXPECT_THAT([&] { StudyStore::open(location()); }, throws_error(ErrorCode::kCorrupt, text));
  };
  const auto set = [&](const std::string& what) { change_tables("update trireme_tune_trial set " + what); };
  set("parameters = 'nonsense' where number = 1");
  refuses("json");
  set("parameters = '[1]' where number = 1");
  refuses("json");
  set("parameters = '{\"x\": null}' where number = 1");
  refuses("null");
  set("parameters = '{}', result = '[\"a\"]' where number = 1");
  refuses("json");
  change_tables("delete from trireme_tune_trial where number = 1");
  refuses("no trial 1");
  change_tables("delete from trireme_tune_format");
  refuses("no version");
}

}  // namespace
}  // namespace trireme::tune
