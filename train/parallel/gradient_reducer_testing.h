#pragma once
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "core/comm/communicator.h"
#include "train/parallel/flat_parameters.h"
#include "train/parallel/gradient_reducer.h"

/// What the tests of GradientReducer on threads and under MPI share.
namespace trireme::train::testing {

/// Weights of several buckets for each matrix, with an output matrix tied to the embedding.
struct SmallModel {
  explicit SmallModel(at::ScalarType type) {
    embedding = &list.add("embedding", {61, 24}, models::Init::normal(1), models::Role::kTable);
    up = &list.add("up", {11000, 24}, models::Init::normal(0.3), models::Role::kMatrix);
    bias = &list.add("bias", {7}, models::Init::ones(), models::Role::kBias);
    down = &list.add("down", {24, 11000}, models::Init::normal(0.1), models::Role::kMatrix);
    head = &list.add_tied("head", *embedding, models::Role::kMatrix);
    parameters.emplace(list, type);
    parameters->initialise(1);
    parameters->publish();
  }

  /// The backward pass of a micro-batch.
  void backward(std::int64_t index) {
    const at::Tensor ids = (at::arange(9) * (index + 2) + index * index).remainder(61);
    const at::Tensor hidden = at::tanh(at::linear(at::embedding(embedding->value, ids), up->value));
    const at::Tensor scores = at::linear(at::linear(hidden, down->value), head->value);
    (at::tanh(scores).sum() + (bias->value * (index + 1)).sum() / 3).backward();
  }

  models::ParameterList list;
  models::Parameter *embedding, *up, *bias, *down, *head;
  std::optional<FlatParameters> parameters;
};

/// What plain backward passes leave, a row a micro-batch: no hooks, buffers or ranks.
inline std::vector<at::Tensor> gradient_rows(at::ScalarType type, std::int64_t micro_batches) {
  SmallModel model(type);
  FlatParameters& flat = *model.parameters;
  std::vector<at::Tensor> rows;
  for (std::int64_t index = 0; index < micro_batches; ++index) {
    model.backward(index);
    const at::NoGradGuard no_grad;
    rows.push_back(at::zeros({flat.gradient_size()}, flat.master_type()));
    for (const auto& entry : flat.entries()) {
      rows.back().narrow(0, entry.begin, entry.count).copy_(entry.parameter->value.grad().reshape({-1}));
      entry.parameter->value.mutable_grad().reset();
    }
  }
  return rows;
}

/// The sum of such rows as fold.h defines it.
inline at::Tensor expected_sum(at::ScalarType type, std::int64_t micro_batches) {
  std::vector<at::Tensor> nodes = gradient_rows(type, micro_batches);
  for (; nodes.size() > 1; nodes.resize((nodes.size() + 1) / 2))
    for (std::size_t i = 0; i < nodes.size(); i += 2)
      nodes[i / 2] = i + 1 < nodes.size() ? nodes[i] + nodes[i + 1] : nodes[i];
  SmallModel model(type);
  FlatParameters& flat = *model.parameters;
  for (const auto& entry : flat.entries())
    if (entry.tied_begin >= 0)
      nodes[0].narrow(0, entry.tied_begin, entry.count).add_(nodes[0].narrow(0, entry.begin, entry.count));
  return nodes[0].narrow(0, 0, flat.size()).clone();
}

/// One step. @param most  this rank gives the step up behind so many of its micro-batches
inline at::Tensor sum_of_step(GradientReducer& reducer, SmallModel& model, std::int64_t most = 1000) {
  reducer.begin_step();
  const Share& share = reducer.share();
  for (std::int64_t index = share.first; index < share.last && most-- > 0; index += share.stride) {
    model.backward(index);
  }
  reducer.finish();
  return reducer.sums();
}

/// Whether the sums are the expected ones, as far as this rank has them.
inline bool equals(const SmallModel& model, const at::Tensor& sums, const at::Tensor& expected, const Groups& groups,
                   int rank) {
  const RowLayout& layout = model.parameters->layout();
  return std::ranges::all_of(stretches_of(layout, all_here(layout).at(0), rank, groups), [&](const Stretch& kept) {
    return sums.narrow(0, kept.begin, kept.count).equal(expected.narrow(0, kept.begin, kept.count));
  });
}

/// Good steps give the expected sum to the last bit, also behind steps that some ranks or all of them have given up.
inline void expect_canonical_sums(Communicator& world, at::ScalarType type, std::int64_t micro_batches, int group = 1,
                                  Deal deal = Deal::kRuns) {
  at::set_num_threads(1);  // how ATen cuts its own sums is not what is tested
  SmallModel model(type);
  GradientReducer reducer(world, *model.parameters, micro_batches, group, deal);
  const at::Tensor expected = expected_sum(type, micro_batches);
  const auto expect_good_step = [&](const char* when) {
    EXPECT_TRUE(equals(model, sum_of_step(reducer, model), expected, {world.size(), group}, world.rank()))
        << micro_batches << " micro-batches on " << world.size() << " ranks, rank " << world.rank() << ", " << when;
  };
  expect_good_step("first step");
  expect_good_step("second step");
  for (const std::int64_t most : {0, 1})
    for (const std::set<int>& quitters : {std::set{0}, std::set{world.size() - 1}, std::set{0, 1, 2, 3, 4, 5, 6, 7}}) {
      sum_of_step(reducer, model, quitters.contains(world.rank()) ? most : micro_batches);
      expect_good_step("behind a step that was given up");
    }
}

}  // namespace trireme::train::testing
