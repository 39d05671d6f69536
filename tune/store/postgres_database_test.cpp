#include "tune/store/postgres_database.h"

#include "tune/store/study_testing.h"

namespace trireme::tune {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::ThrowsMessage;

class PostgresStudy : public testing::Test {
 protected:
  std::string location(const std::string& extra = "") const { return server_.url(database_, extra); }
  StudyStore create(const std::string& extra = "") const {
    return StudyStore::create(location(extra), {"a: b\n", "x"});
  }
  void execute(const std::string& sql) const { server_.execute(database_, sql); }
  // Cuts all connections but the one that says so.
  void cut_connections() const {
    execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = '" + database_ +
            "' and pid <> pg_backend_pid()");
  }
  PostgresServer& server_ = PostgresServer::shared();
  const std::string database_ = server_.make_database();
};

TEST_F(PostgresStudy, SharesADatabaseWithOtherStudies) {
  StudyStore wide = create("&study=wide"), deep = create("&study=deep"), unnamed = create();
  wide.enqueue({});
  wide.enqueue({});
  EXPECT_EQ(deep.enqueue({{"x", 1.0}}), 0);
  EXPECT_THAT(deep.trials(), SizeIs(1));
  EXPECT_THAT(unnamed.trials(), SizeIs(0));
  EXPECT_THAT(StudyStore::open(location("&study=wide")).trials(), SizeIs(2));
  EXPECT_THAT([&] { create("&study=deep"); }, throws_error(ErrorCode::kUsage, "study=deep already"));
  EXPECT_THAT([&] { StudyStore::open(location("&study=none")); }, throws_error(ErrorCode::kNotFound, "study=none"));
  EXPECT_FALSE(StudyStore::exists(location("&study=none")));
}

TEST_F(PostgresStudy, StandsBesideTablesOfOthers) {
  execute("create table study (x int); create table trial (x int)");
  EXPECT_FALSE(StudyStore::exists(location()));
  create().enqueue({});
  execute("drop table study; drop table trial");
  EXPECT_THAT(StudyStore::open(location()).trials(), SizeIs(1));
}

TEST_F(PostgresStudy, GoesOnWhenTheServerWasStartedAgain) {
  StudyStore store = create();
  store.claim({}, propose_number);
  server_.stop();
  server_.start();
  store.finish(0, 1, {TrialState::kComplete, {1}});
  server_.stop(SIGQUIT);  // as a crash
  server_.start();
  EXPECT_EQ(store.trials().at(0).state, TrialState::kComplete);
}

TEST_F(PostgresStudy, RunsATransactionAgainThatLostItsConnection) {
  StudyStore store = create();
  int asked = 0;
  const auto trial = store.claim({}, [&](const auto& trials, std::int64_t number) {
    if (++asked == 1) cut_connections();
    return propose_number(trials, number);
  });
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(trial.value().number, 0);
  EXPECT_EQ(trial.value().attempt, 1);
  EXPECT_THAT(store.trials(), SizeIs(1));
}

TEST_F(PostgresStudy, GivesUpWhenTheConnectionIsLostEachTime) {
  StudyStore store = create();
  const auto cut = [&](const auto& trials, std::int64_t number) {
    cut_connections();
    return propose_number(trials, number);
  };
  EXPECT_THAT([&] { store.claim({}, cut); }, throws_error(ErrorCode::kIo, "undone"));
  EXPECT_THAT(store.trials(), SizeIs(0));
}

TEST_F(PostgresStudy, NoticesThatItWasRemoved) {
  StudyStore store = create("&study=gone");
  store.enqueue({});
  execute("delete from trireme_tune_study where name = 'gone'");
  EXPECT_THAT([&] { store.enqueue({}); }, throws_error(ErrorCode::kNotFound, "removed"));
  EXPECT_THAT(create("&study=gone").trials(), SizeIs(0)) << "its trials went with it";
}

TEST_F(PostgresStudy, UsesTheServersClock) {
  StudyStore store = create();
  PostgresDatabase database(location(), "shown");
  const double before = database.now();
  const double ended = store.claim({"", 100}, propose_number).value().lease_until;
  EXPECT_GE(ended, before + 100);
  EXPECT_LE(ended, database.now() + 100);
  const auto rows = database.execute("select cast(extract(epoch from now()) as double precision)");
  EXPECT_NEAR(number_of(rows.at(0).at(0)), before, 60);
}

TEST_F(PostgresStudy, SaysWhyThereIsNoConnectionAndNeverAPassword) {
  const auto without_secret = [](const std::string& text) {
    return ThrowsMessage<Error>(AllOf(HasSubstr(text), Not(HasSubstr("secret"))));
  };
  const std::string server = location().substr(location().find('?'));
  const auto open = [](const std::string& url) { return [url] { StudyStore::open(url); }; };
  EXPECT_THAT(open("postgresql://:secret@/none" + server), without_secret("database \"none\" does not exist"));
  EXPECT_THAT(open("postgresql:///none" + server + "&password=secret"), without_secret("does not exist"));
  EXPECT_THAT(open("postgresql://me:secret@127.0.0.1:1/lab"), without_secret("cannot connect to postgresql://me@"));
  EXPECT_THAT(open("postgresql://me:secret@host/lab?nonsense=1"), without_secret("cannot be read"));
  EXPECT_THAT(open("postgresql://me:sec%zzret-secret@host/lab"), without_secret("cannot be read"));
  EXPECT_THAT(open("postgresql://me:x/secret@host:1/lab"), without_secret("postgresql://me@host"));
}

TEST_F(PostgresStudy, RefusesTextThatItCannotStore) {
  StudyStore store = create();
  const auto propose = [](const auto&, auto) { return Proposal{{}, std::string("a\0b", 3)}; };
  EXPECT_THAT([&] { store.claim({}, propose); }, throws_error(ErrorCode::kBadInput, "NUL"));
  EXPECT_THAT(store.trials(), SizeIs(0));
}

}  // namespace
}  // namespace trireme::tune
