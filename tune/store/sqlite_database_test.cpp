#include "tune/store/sqlite_database.h"

#include <sqlite3.h>
#include <sys/mount.h>

#include <fstream>
#include <future>
#include <thread>

#include "core/base/files.h"
#include "core/base/process.h"
#include "tune/store/study_testing.h"

namespace trireme::tune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

class SqliteStudy : public testing::Test {
 protected:
  std::string location() const { return (folder() / "study.db").string(); }
  StudyStore create() const { return StudyStore::create(location(), {"method: random\n", "sweep.yaml"}); }
  const fs::path& folder() const { return folder_.path(); }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder())) names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }
  void put(const std::string& name, const std::string& content) const { std::ofstream(folder() / name) << content; }

 private:
  const StudyFolder folder_;
};

TEST_F(SqliteStudy, IsOneFileWhenNobodyIsAtWorkOnIt) {
  {
    StudyStore store = create();
    store.claim({}, propose_number);
    EXPECT_THAT(files(), ElementsAre("study.db", "study.db-shm", "study.db-wal"));
  }
  EXPECT_THAT(files(), ElementsAre("study.db"));
  fs::rename(location(), folder() / "other.db");
  EXPECT_THAT(StudyStore::open((folder() / "other.db").string()).trials(), SizeIs(1));
}

TEST_F(SqliteStudy, IsOneFileAgainBehindAWorkerThatWasKilled) {
  create();
  const pid_t worker = in_child([&] {
    StudyStore store = StudyStore::open(location());
    store.claim({}, propose_number);
    ::kill(::getpid(), SIGKILL);
  });
  EXPECT_TRUE(WIFSIGNALED(status_of(worker)));
  EXPECT_THAT(files(), SizeIs(3));
  EXPECT_THAT(StudyStore::open(location()).trials(), SizeIs(1));
  EXPECT_THAT(files(), ElementsAre("study.db"));
}

TEST_F(SqliteStudy, RefusesWhatIsNoStudy) {
  put("study.db", std::string(5000, 'x'));
  EXPECT_THAT([&] { StudyStore::open(location()); }, throws_error(ErrorCode::kBadInput, "no SQLite database"));
  EXPECT_THAT([&] { create(); }, throws_error(ErrorCode::kUsage, "is there already"));
  put("study.db", "");
  EXPECT_THAT([&] { StudyStore::open(location()); }, throws_error(ErrorCode::kBadInput, "another program"));
  fs::remove(location());
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(location().c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "create table bookmarks (url text)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  const std::string before = read_file(location());
  EXPECT_THAT([&] { StudyStore::open(location()); }, throws_error(ErrorCode::kBadInput, "another program"));
  EXPECT_EQ(read_file(location()), before);
  EXPECT_THAT([&] { StudyStore::open(folder().string()); }, throws_error(ErrorCode::kBadInput, "is a folder"));
}

TEST_F(SqliteStudy, SaysThatAFileIsDamaged) {
  create();
  std::string content = read_file(location());
  for (std::size_t i = 4096; i < content.size(); ++i) content[i] = 'x';  // all pages but the first
  put("study.db", content);
  EXPECT_THAT([&] { StudyStore::open(location()); }, throws_error(ErrorCode::kCorrupt, "damaged"));
}

TEST_F(SqliteStudy, IsNotMadeWhereItCannotBe) {
  const std::string nowhere = (folder() / "none" / "study.db").string();
  EXPECT_THAT([&] { StudyStore::create(nowhere, {}); }, throws_error(ErrorCode::kUsage, "no folder"));
  EXPECT_THAT([&] { StudyStore::open(nowhere); }, throws_error(ErrorCode::kNotFound, "no study"));
  put("study.db-wal", "of a file that was removed");
  EXPECT_THAT([&] { create(); }, throws_error(ErrorCode::kUsage, "study.db-wal"));
  EXPECT_THAT(files(), ElementsAre("study.db-wal"));
}

TEST_F(SqliteStudy, IsThereAsAWholeOrNotAtAll) {
  const auto fails = [&](Database& database) {
    database.execute("create table half (x text)");
    EXPECT_FALSE(fs::exists(location()));
    throw Error(ErrorCode::kIo, "power is out");
  };
  EXPECT_THAT([&] { SqliteDatabase::create(location(), fails); }, throws_error(ErrorCode::kIo, "power"));
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(SqliteStudy, WaitsForOthersInsteadOfFailing) {
  create();
  StudyStore mine = StudyStore::open(location()), other = StudyStore::open(location());
  std::future<std::optional<Trial>> waits;
  mine.claim({}, [&](const auto& trials, std::int64_t number) {
    waits = std::async(std::launch::async, [&] { return other.claim({}, propose_number); });
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    return propose_number(trials, number);
  });
  EXPECT_EQ(waits.get().value().number, 1);
}

TEST_F(SqliteStudy, KeepsAnotherHostOutWhileALeaseIsLive) {
  StudyStore store = create();
  store.claim({"elsewhere:12:34", 3600}, propose_number);
  EXPECT_THAT([&] { StudyStore::open(location()); }, throws_error(ErrorCode::kBadInput, "in use on host elsewhere"));
  store.finish(0, 1, {TrialState::kComplete, {1}});
  StudyStore::open(location());
  store.claim({"elsewhere:12:34", 1e-9}, propose_number);
  store.claim({"", 3600}, propose_number);
  store.claim({host_name() + ":1:2", 3600}, propose_number);
  StudyStore::open(location());
}

TEST_F(SqliteStudy, DoesNotGoOnInAFileThatWasRemoved) {
  StudyStore store = create();
  fs::remove(location());
  EXPECT_THAT([&] { store.claim({}, propose_number); }, throws_error(ErrorCode::kNotFound, "moved or removed"));
}

TEST_F(SqliteStudy, MayBeReadByWhoMayNotWriteIt) {
  const fs::path disk = folder() / "disk?of %41";
  fs::create_directory(disk);
  if (::mount("trireme-test", disk.c_str(), "tmpfs", 0, "size=1m") != 0)
    GTEST_SKIP() << "mounting a small tmpfs needs root";
  const std::string place = (disk / "study.db").string();
  {
    StudyStore store = StudyStore::create(place, {"method: random\n", "sweep.yaml"});
    store.claim({}, propose_number);
  }
  EXPECT_EQ(::mount("trireme-test", disk.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=1m"), 0);
  {
    StudyStore store = StudyStore::open(place);
    EXPECT_THAT(store.trials(), SizeIs(1));
    EXPECT_THAT([&] { store.finish(0, {}, {TrialState::kComplete, {1}}); }, throws_error(ErrorCode::kIo, "readonly"));
  }
  ::umount(disk.c_str());
}

// As disks fill up: at any size the study holds what was acknowledged and nothing else, and goes on once there is room.
TEST_F(SqliteStudy, ADiskThatIsFullLosesNothingAndLeavesNothingHalfDone) {
  int failed_to_begin = 0, failed_later = 0;
  for (int kibibytes = 16; kibibytes <= 400; kibibytes += 24) {
    const fs::path disk = folder() / std::to_string(kibibytes);
    fs::create_directory(disk);
    const std::string size = "size=" + std::to_string(kibibytes) + "k";
    if (::mount("trireme-test", disk.c_str(), "tmpfs", 0, size.c_str()) != 0)
      GTEST_SKIP() << "needs the right to mount";
    const auto unmount = std::shared_ptr<void>(nullptr, [&](void*) { ::umount2(disk.c_str(), MNT_DETACH); });
    const std::string place = disk / "study.db";
    std::optional<StudyStore> store;
    std::int64_t acknowledged = 0;
    try {
      store = StudyStore::create(place, {"method: random\n", "sweep.yaml"});
      for (; acknowledged < 1000; ++acknowledged) store->enqueue({{"text", std::string(3000, 'x')}});
      FAIL() << "the disk should be full";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kIo) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(place));
    }
    const bool is_there = fs::exists(place);
    ASSERT_EQ(::mount("trireme-test", disk.c_str(), "tmpfs", MS_REMOUNT, "size=8m"), 0);
    ++(store ? failed_later : failed_to_begin);
    if (!store && !is_there) {
      EXPECT_TRUE(fs::is_empty(disk)) << kibibytes;
      store = StudyStore::create(place, {"method: random\n", "sweep.yaml"});
    } else if (!store) {  // made, but there was no room to open it
      store = StudyStore::open(place);
    }
    EXPECT_THAT(StudyStore::open(place).trials(), SizeIs(acknowledged)) << kibibytes;
    EXPECT_EQ(store->enqueue({}), acknowledged);
    EXPECT_THAT(SqliteDatabase(place).execute("pragma integrity_check"), ElementsAre(ElementsAre(Cell("ok"))));
  }
  EXPECT_GT(failed_to_begin, 0);
  EXPECT_GT(failed_later, 3);
}

TEST_F(SqliteStudy, NamesThatSqliteHasAMeaningForAreNamesOfFiles) {
  const fs::path before = fs::current_path();
  fs::current_path(folder());
  for (const char* name : {":memory:", "file:x?mode=memory", "a b%20c"}) {
    StudyStore::create(name, {}).claim({}, propose_number);
    EXPECT_TRUE(fs::exists(folder() / name));
    EXPECT_THAT(StudyStore::open(name).trials(), SizeIs(1));
  }
  fs::current_path(before);
}

}  // namespace
}  // namespace trireme::tune
