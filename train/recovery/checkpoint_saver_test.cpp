#include "train/recovery/checkpoint_saver.h"

#include <gmock/gmock.h>

#include <mutex>

#include "core/base/error.h"
#include "core/base/fault_points.h"
#include "core/comm/thread_communicator.h"
#include "models/checkpoint/test_checkpoint.h"
#include "models/registry.h"

namespace trireme::train {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int kRanks = 3;

// A call that fails, in any thread, as long as this lives.
class Failing final : public FaultPoints {
 public:
  Failing(std::string object, std::string call, int error, int times = 1 << 30)
      : object_(std::move(object)), call_(std::move(call)), error_(error), times_(times) {
    install(this);
  }
  ~Failing() override { install(nullptr); }
  Fault at(const char* object, const char* call, When when) override {
    if (when == When::kAfter || object != object_ || call != call_ || times_-- <= 0) return {};
    return {.error = error_};
  }

 private:
  const std::string object_, call_;
  const int error_;
  std::atomic<int> times_;
};

class SaverTest : public testing::Test {
 protected:
  SaverTest() : run_(folder_.path() / "run"), owner_(models::RunOwner::claim(run_)) {}

  // A rank of a job that trains, saves and looks after its saves as the trainer does.
  struct Rank {
    Rank(Communicator& world, const SaverTest& test)
        : mesh(world, mesh_shape(ParallelConfig{}, world.size())),
          model(models::build_model(config(), 40)),
          parameters(model->parameters(), at::kFloat, Sharing{&world, world.size()}),
          optimizer({}, parameters),
          saver(mesh, parameters, state_rows(parameters, optimizer), writers(), test.run_,
                world.rank() == 0 ? &test.owner_ : nullptr, test.owner_.folder(), models::model_json(config(), 40),
                "{}") {
      parameters.initialise(1);
    }
    static models::ModelConfig config() {
      models::ModelConfig config;
      config.layers = 2;
      config.width = 64;
      config.heads = 2;
      config.context = 8;
      return config;
    }
    static CheckpointConfig writers() {
      CheckpointConfig config;
      config.writers = kRanks;
      return config;
    }
    // What all ranks hear of the save of a step, once it is over; on rank 0 it is known at once.
    std::string save(std::int64_t step, const std::function<void()>& before_commit = [] {}) {
      Communicator& world = mesh.world();
      if (auto outcome = saver.start(step, "{\"step\":" + std::to_string(step) + "}", before_commit))
        return outcome->failure;
      for (;;) {  // steps
        saver.poll();
        SavePhase phase = saver.phase();
        world.broadcast(&phase, sizeof phase, 0, kControl);
        if (auto outcome = saver.advance(phase)) return outcome->failure;
      }
    }
    Mesh mesh;
    std::unique_ptr<models::Model> model;
    FlatParameters parameters;
    AdamW optimizer;
    CheckpointSaver saver;
  };

  std::vector<std::string> on_ranks(const std::function<std::string(Rank&)>& body) {
    std::vector<std::string> said(kRanks);
    run_on_threads(kRanks, [&](Communicator& world) {
      Rank rank(world, *this);
      said[static_cast<std::size_t>(world.rank())] = body(rank);
    });
    return said;
  }
  void expect_sound(const std::vector<std::int64_t>& steps) {
    EXPECT_EQ(models::checkpoint_steps(run_), steps);
    for (const std::int64_t step : steps)
      EXPECT_THAT(models::verify_checkpoint(models::checkpoint_path(run_, step)), IsEmpty());
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(owner_.folder()), {}), 1) << "nothing half-written";
  }

  const models::TemporaryFolder folder_;
  const std::filesystem::path run_;
  const models::RunOwner owner_;
};

TEST_F(SaverTest, ManySavesOneBehindTheOther) {
  EXPECT_THAT(on_ranks([](Rank& rank) {
                std::string said;
                for (std::int64_t step = 1; step <= 10; ++step) said += rank.save(step);
                return said;
              }),
              ElementsAre("", "", ""));
  expect_sound({8, 9, 10});
}

TEST_F(SaverTest, WhateverFailsOnWhicheverRankAllHearOfItAndTheNextSaveSucceeds) {
  for (const auto& [object, call] : std::vector<std::pair<std::string, std::string>>{{"folder", "create"},
                                                                                     {"rank-file", "lay-out"},
                                                                                     {"rank-file", "write"},
                                                                                     {"rank-file", "sync"},
                                                                                     {"tokenizer", "write"},
                                                                                     {"manifest", "sync"},
                                                                                     {"commit", "rename"},
                                                                                     {"commit", "sync"}})
    for (const int times : {1, 2, 1000}) {
      std::optional<Failing> failing;
      std::mutex mutex;
      const auto said = on_ranks([&, object = object, call = call](Rank& rank) {
        rank.mesh.world().barrier();
        {
          const std::scoped_lock lock(mutex);
          if (!failing) failing.emplace(object, call, EIO, times);
        }
        std::string failure = rank.save(5);
        rank.mesh.world().barrier();
        {
          const std::scoped_lock lock(mutex);
          if (failing) FaultPoints::install(nullptr);
        }
        rank.mesh.world().barrier();
        const std::string next = rank.save(6);
        EXPECT_EQ(next, "");
        return failure;
      });
      EXPECT_THAT(said[0], HasSubstr("Input/output error")) << object << " " << call;
      EXPECT_THAT(said, ElementsAre(said[0], said[0], said[0]));
      expect_sound({6});
      owner_.remove(models::checkpoint_path(run_, 6));
    }
}

TEST_F(SaverTest, LogsThatCannotBeMadeDurableKeepACheckpointFromBeingCommitted) {
  const auto said =
      on_ranks([](Rank& rank) { return rank.save(5, [] { throw Error(ErrorCode::kIo, "cannot sync the logs"); }); });
  EXPECT_THAT(said[2], HasSubstr("cannot sync the logs"));
  expect_sound({});
}

TEST_F(SaverTest, AnotherStartEndsThisOne) {
  EXPECT_THROW(on_ranks([&](Rank& rank) {
                 if (rank.mesh.world().rank() == 0) models::RunOwner::claim(run_);
                 rank.mesh.world().barrier();
                 return rank.save(5);
               }),
               Error);
  EXPECT_THAT(models::checkpoint_steps(run_), IsEmpty());
}

TEST_F(SaverTest, ARankThatIsLostInASaveLeavesNothingUnderAFinalName) {
  EXPECT_THROW(on_ranks([&](Rank& rank) {
                 EXPECT_FALSE(rank.saver.start(5, "{}", [] {}));
                 if (rank.mesh.world().rank() == 1) throw std::runtime_error("killed");
                 rank.saver.finish();
                 return std::string();
               }),
               std::runtime_error);
  EXPECT_THAT(models::checkpoint_steps(run_), IsEmpty());
}

}  // namespace
}  // namespace trireme::train
