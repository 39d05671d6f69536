#include "train/recovery/resume.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/comm/thread_communicator.h"
#include "models/checkpoint/test_checkpoint.h"

namespace trireme::train {
namespace {

namespace fs = std::filesystem;
using models::Checkpoint;
using models::checkpoint_path;
using models::content_of;
using models::put_content;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Property;
using testing::Throws;

// Every tensor, as the ranks of a trainer together.
void read_all(const Checkpoint& checkpoint) {
  std::vector<char> bytes;
  for (const Checkpoint::Tensor& tensor : checkpoint.tensors()) {
    bytes.resize(static_cast<std::size_t>(*models::volume(tensor.shape)) * bytes_per_element(tensor.type));
    checkpoint.read(tensor.name, bytes.data());
  }
}

class Resume : public testing::Test {
 protected:
  Resume() {
    for (const std::int64_t step : {10, 20}) models::save_rows(checkpoint_path(run(), step), models::small_model(), 2);
    for (const auto& entry : fs::directory_iterator(newest())) files_.push_back(entry.path());
    std::ranges::sort(files_);
  }
  fs::path run() const { return folder_.path(); }
  fs::path newest() const { return checkpoint_path(run(), 20); }

  // What a job of this many ranks goes on from, and what it says.
  std::pair<ResumePoint, std::string> restored(int ranks, const std::string& resume = "auto", bool fall_back = true) {
    ResumePoint point;
    testing::internal::CaptureStderr();
    try {
      run_on_threads(ranks, [&](Communicator& world) {
        const ResumePoint mine = restore_run(world, run(), resume, fall_back, read_all);
        if (world.rank() == 0) point = mine;
      });
    } catch (...) {
      testing::internal::GetCapturedStderr();
      throw;
    }
    return {point, testing::internal::GetCapturedStderr()};
  }

  // Damages one file of the newest checkpoint: verify() names it, a start and a server fall back and name it.
  // @param tensor  named as well, where not empty
  void expect_found(const fs::path& file, const std::string& damaged, const std::string& tensor,
                    const std::string& what) {
    const std::string whole = content_of(file), name = file.filename().string();
    put_content(file, damaged);
    const auto faults = models::verify_checkpoint(newest());
    EXPECT_THAT(faults, testing::Contains(AllOf(HasSubstr(name), HasSubstr(tensor)))) << what;
    const auto [point, said] = restored(1);
    EXPECT_EQ(point.step, 10) << what;
    EXPECT_THAT(said, AllOf(HasSubstr("step 20"), HasSubstr(name), HasSubstr(tensor))) << what;
    testing::internal::CaptureStderr();
    EXPECT_EQ(models::open_model(run()).directory(), checkpoint_path(run(), 10)) << what;
    EXPECT_THAT(testing::internal::GetCapturedStderr(), AllOf(HasSubstr("step-00000020"), HasSubstr(name))) << what;
    put_content(file, whole);
  }

  const models::TemporaryFolder folder_;
  std::vector<fs::path> files_;
};

TEST_F(Resume, TakesTheNewestAndLooksAtNothingElse) {
  fs::resize_file(checkpoint_path(run(), 10) / "manifest.json", 5);
  for (const int ranks : {1, 3}) {
    const auto [point, said] = restored(ranks);
    EXPECT_EQ(point.step, 20);
    EXPECT_THAT(point.seen, ElementsAre(10, 20));
    EXPECT_EQ(said, "");
  }
}

TEST_F(Resume, AThousandFlippedBitsAreAllFoundAndTheOneBeforeIsUsed) {
  // The tensors and where they lie, to know what has to be named.
  const nlohmann::json manifest = nlohmann::json::parse(content_of(newest() / "manifest.json"));
  const auto tensor_at = [&](const std::string& file, std::uint64_t byte) {
    for (const auto& [name, tensor] : manifest["tensors"].items())
      for (const auto& slice : tensor["slices"])
        if (slice["file"] == file && byte >= slice["file_offset"].get<std::uint64_t>() &&
            byte < slice["file_offset"].get<std::uint64_t>() + slice["bytes"].get<std::uint64_t>())
          return name;
    return std::string();
  };
  const RandomStream random(1, "flipped bits");
  int in_tensors = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const fs::path& file = files_[i % files_.size()];
    std::string bytes = content_of(file);
    // Half of those of a rank file into its tensors, which are few of its bytes here.
    std::uint64_t byte = random.bits(i) % bytes.size();
    for (std::uint64_t lane = 1; i % 8 < 4 && file.extension() == ".h5" && lane < 999; ++lane) {
      if (!tensor_at(file.filename().string(), byte).empty()) break;
      byte = random.bits(i, lane) % bytes.size();
    }
    bytes[byte] = static_cast<char>(bytes[byte] ^ (1 << random.bits(i, 1000) % 8));
    const std::string tensor = tensor_at(file.filename().string(), byte);
    in_tensors += !tensor.empty();
    expect_found(file, bytes, tensor, "byte " + std::to_string(byte) + " of " + file.filename().string());
  }
  EXPECT_GT(in_tensors, 200);
}

TEST_F(Resume, FiveHundredCutsAreAllFoundAndTheOneBeforeIsUsed) {
  const RandomStream random(2, "cuts");
  for (std::uint64_t i = 0; i < 500; ++i) {
    const fs::path& file = files_[i % files_.size()];
    const std::string bytes = content_of(file);
    const std::size_t kept = i < 2 * files_.size() ? (i < files_.size() ? 0 : bytes.size() - 1)
                                                   : static_cast<std::size_t>(random.bits(i) % bytes.size());
    expect_found(file, bytes.substr(0, kept), "", file.filename().string() + " cut to " + std::to_string(kept));
  }
}

TEST_F(Resume, AFileThatIsGoneOrTooManyIsFound) {
  for (const fs::path& file : files_) {
    fs::rename(file, run() / "away");
    EXPECT_EQ(restored(2).first.step, 10) << file;
    fs::rename(run() / "away", file);
  }
  put_content(newest() / "rank-00007.h5", "stranger");
  EXPECT_EQ(restored(2).first.step, 10);
  fs::remove(newest() / "rank-00007.h5");
  EXPECT_EQ(restored(2).first.step, 20);
}

TEST_F(Resume, WhatOneRankAloneSeesTakesAllBack) {
  std::vector<std::optional<std::int64_t>> steps(3);
  run_on_threads(3, [&](Communicator& world) {
    steps[static_cast<std::size_t>(world.rank())] =
        restore_run(world, run(), "auto", true, [&](const Checkpoint& checkpoint) {
          if (world.rank() == 2 && checkpoint.directory() == newest()) throw Error(ErrorCode::kCorrupt, "a bad disk");
        }).step;
  });
  EXPECT_THAT(steps, ElementsAre(10, 10, 10));
}

// As where another start saves the same step again while the ranks look, one behind the other.
TEST_F(Resume, RanksThatSeeDifferentCheckpointsOfAStepGoOnFromNeither) {
  const models::TemporaryFolder other;
  for (const std::int64_t step : {10, 20}) {
    const std::string training = R"({"step": )" + std::to_string(step) + R"(, "other": true})";
    models::save_rows(checkpoint_path(other.path(), step), models::small_model(), 2, training);
  }
  EXPECT_THAT(
      [&] {
        run_on_threads(2, [&](Communicator& world) {
          restore_run(world, world.rank() == 0 ? run() : other.path(), "auto", true, read_all);
        });
      },
      Throws<Error>(AllOf(Property(&Error::code, ErrorCode::kIo), Property(&Error::what, HasSubstr("another start")))));
}

TEST_F(Resume, WhatIsNoDamageEndsAStart) {
  EXPECT_THAT(
      [&] {
        run_on_threads(1, [&](Communicator& world) {
          restore_run(world, run(), "auto", true,
                      [&](const Checkpoint&) { throw Error(ErrorCode::kIo, "Too many open files"); });
        });
      },
      Throws<Error>(Property(&Error::code, ErrorCode::kIo)));
}

TEST_F(Resume, DamageEndsAStartThatIsToldTo) {
  fs::remove(newest() / "manifest.json");
  EXPECT_THAT([&] { restored(2, "auto", false); },
              Throws<Error>(AllOf(Property(&Error::code, ErrorCode::kCorrupt),
                                  Property(&Error::what, AllOf(HasSubstr("step 20"), HasSubstr("manifest.json"),
                                                               HasSubstr("recovery.on-damage"))))));
  fs::remove(checkpoint_path(run(), 10) / "manifest.json");
  EXPECT_THAT([&] { restored(1); }, Throws<Error>(Property(&Error::what, HasSubstr("every checkpoint"))));
}

TEST_F(Resume, SettlingSetsDamagedOnesAsideAndRemovesATimelineThatIsLeft) {
  const models::RunOwner owner = models::RunOwner::claim(run());
  put_content(newest() / "tokenizer.json", "damaged");
  settle(owner, restored(1).first, {3});
  EXPECT_THAT(models::checkpoint_steps(run()), ElementsAre(10));
  EXPECT_EQ(std::distance(fs::directory_iterator(run() / "checkpoints"), {}), 2);
  models::save_rows(newest(), models::small_model(), 1);
  settle(owner, restored(1, "10").first, {.newest = 3, .every = 7});
  EXPECT_THAT(models::checkpoint_steps(run()), ElementsAre(10));
  EXPECT_EQ(std::distance(fs::directory_iterator(run() / "checkpoints"), {}), 2);
  models::save_rows(newest(), models::small_model(), 1);
  settle(owner, restored(1, "10").first, {.newest = 3, .every = 20});
  EXPECT_EQ(std::distance(fs::directory_iterator(run() / "checkpoints"), {}), 3) << "one that stays for ever";
}

}  // namespace
}  // namespace trireme::train
