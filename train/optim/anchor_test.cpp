#include "train/optim/anchor.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/ones_like.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/comm/thread_communicator.h"
#include "models/model_source.h"
#include "models/registry.h"
#include "train/parallel/placement.h"

namespace trireme::train {
namespace {

// A model whose weights are all one number.
class Constant final : public models::ModelSource {
 public:
  Constant(std::string json, double value) : json_(std::move(json)), value_(static_cast<float>(value)) {}
  std::string where() const override { return "a constant"; }
  const std::string& model_json() const override { return json_; }
  models::StoredType type(const models::Parameter&) const override { return models::StoredType::kFloat32; }
  void read_rows(const models::Parameter& parameter, std::int64_t, std::int64_t count, void* out) const override {
    std::fill_n(static_cast<float*>(out), count * (parameter.elements() / parameter.shape[0]), value_);
  }
  std::optional<std::string> companion(const std::string&) const override { return std::nullopt; }

 private:
  const std::string json_;
  const float value_;
};

models::ModelConfig small() {
  models::ModelConfig config;
  config.layers = 3;
  config.width = 64;
  config.heads = 2;
  config.context = 8;
  return config;
}

struct Result {
  std::vector<double> penalties;
  at::Tensor gradients, importance;  // whole rows, of one rank
};

// What the ranks of a data axis add to gradients that are 1 everywhere, with masters shared out among them.
Result anchored(int ranks, bool measured, at::ScalarType type = at::kFloat) {
  Result result;
  result.penalties.resize(static_cast<std::size_t>(ranks));
  const Constant start(models::model_json(small(), 40), 0.25);
  run_on_threads(ranks, [&](Communicator& world) {
    const auto model = models::build_model(small(), 40);
    FlatParameters parameters(model->parameters(), type, Sharing{&world, ranks});
    parameters.initialise(1);
    MeshShape shape;
    shape.sizes[static_cast<std::size_t>(Axis::kData)] = ranks;
    const auto units = units_of(parameters.layout(), parameters.placement(), shape);
    Anchor anchor(world, parameters, units, 0.5, measured);
    anchor.start_from(start);
    const at::Tensor gradients = at::ones({parameters.size()}, parameters.master_type());
    const auto sums = [&](std::int64_t begin) -> void* {
      return static_cast<std::byte*>(gradients.mutable_data_ptr()) +
             begin * static_cast<std::int64_t>(gradients.element_size());
    };
    if (measured) {
      for (const double scale : {1.0, 3.0}) {
        const at::Tensor seen = at::arange(parameters.size()).to(parameters.master_type()) * scale;
        anchor.measure([&](std::int64_t begin) -> const void* {
          return static_cast<const std::byte*>(seen.const_data_ptr()) +
                 begin * static_cast<std::int64_t>(seen.element_size());
        });
      }
      anchor.end_measuring();
    }
    result.penalties[static_cast<std::size_t>(world.rank())] = anchor.add_gradients(sums);
    if (ranks == 1) {
      result.gradients = gradients;
      if (measured) result.importance = anchor.importance();
      // By the formula, over what are weights and no padding.
      double due = 0;
      for (const FlatParameters::Entry& entry : parameters.entries()) {
        if (entry.tied_begin >= 0) continue;
        const auto part = [&](const at::Tensor& row) {
          return row.narrow(0, entry.begin, entry.count).to(at::kDouble);
        };
        const at::Tensor away = part(parameters.masters()) - 0.25;
        const at::Tensor weight = measured ? part(anchor.importance()) : at::ones_like(away);
        due += 0.25 * (weight * away * away).sum().item<double>();
        EXPECT_TRUE(at::allclose(part(gradients), 1 + 0.5 * weight * away, 1e-5, 1e-6)) << entry.parameter->name;
      }
      EXPECT_NEAR(result.penalties[0], due, 1e-5 * due);
    }
  });
  return result;
}

TEST(AnchorTest, AddsWhatTheFormulaSays) {
  for (const bool measured : {false, true})
    for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) anchored(1, measured, type);
}

TEST(AnchorTest, ImportanceHasAMeanOfOneAndTheShapeOfTheSquares) {
  const Result one = anchored(1, true);
  const at::Tensor squares = at::arange(one.importance.numel()).to(at::kDouble).square();
  const at::Tensor share = one.importance.to(at::kDouble) / squares;
  const double scale = share[1].item<double>();
  EXPECT_TRUE(
      at::allclose(share.narrow(0, 1, share.numel() - 1), at::full({share.numel() - 1}, scale, at::kDouble), 1e-4, 0));
}

TEST(AnchorTest, GivesTheSamePenaltyOnAnyNumberOfRanks) {
  for (const bool measured : {false, true}) {
    const double alone = anchored(1, measured).penalties[0];
    EXPECT_GT(alone, 0);
    for (const int ranks : {2, 3, 5})
      for (const double penalty : anchored(ranks, measured).penalties) EXPECT_EQ(penalty, alone) << ranks;
  }
}

TEST(AnchorTest, WithoutAnyGradientNothingIsMeasured) {
  const auto alone = make_self_communicator();
  const auto model = models::build_model(small(), 40);
  FlatParameters parameters(model->parameters(), at::kFloat);
  const auto units = units_of(parameters.layout(), parameters.placement(), MeshShape());
  Anchor anchor(*alone, parameters, units, 1, true);
  EXPECT_THROW(anchor.end_measuring(), Error);
}

}  // namespace
}  // namespace trireme::train
