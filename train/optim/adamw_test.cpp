#include "train/optim/adamw.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include "core/comm/thread_communicator.h"

namespace trireme::train {
namespace {

using models::Init;
using models::ParameterList;
using models::Role;

void fill(ParameterList& list) {
  list.add("embedding", {5, 4}, Init::normal(0.5), Role::kTable);
  list.add("query", {6, 4}, Init::normal(0.5), Role::kMatrix);
  list.add("bias", {6}, Init::ones(), Role::kBias);
  list.add("norm", {4}, Init::ones(), Role::kNorm);
  list.add("big", {300, 101}, Init::normal(0.5), Role::kMatrix);  // several pieces
}

AdamW::Gradients from(const at::Tensor& row) {
  return [row](std::int64_t begin) -> const void* {
    return static_cast<const std::byte*>(row.const_data_ptr()) + begin * static_cast<std::int64_t>(row.element_size());
  };
}

TEST(AdamW, OnlyMatricesDecay) {
  for (const bool tied : {false, true}) {
    ParameterList list;
    fill(list);
    if (tied)
      list.add_tied("head", list.all().front(), Role::kMatrix);
    else
      list.add("head", {5, 4}, Init::normal(0.5), Role::kMatrix);
    FlatParameters parameters(list, at::kDouble);
    parameters.initialise(1);
    OptimizerConfig config;
    config.weight_decay = 0.5;
    AdamW optimizer(config, parameters);
    const at::Tensor before = parameters.masters().clone();
    optimizer.update(1, 0.1, 1, from(at::zeros({parameters.gradient_size()}, at::kDouble)));
    std::map<std::string, double> kept;  // share of the weights that one update without gradients leaves
    for (const auto& entry : parameters.entries())
      if (entry.tied_begin < 0)
        kept[entry.parameter->name] =
            parameters.masters()[entry.begin].item<double>() / before[entry.begin].item<double>();
    for (const char* name : {"query", "big"}) EXPECT_NEAR(kept.at(name), 0.95, 1e-12) << name;
    for (const char* name : {"embedding", "bias", "norm"}) EXPECT_EQ(kept.at(name), 1) << name;
    EXPECT_EQ(kept.contains("head"), !tied);
    if (!tied) {
      EXPECT_NEAR(kept.at("head"), 0.95, 1e-12);
    }
  }
}

// Weights and moments after some updates with gradients that are the same in every call.
at::Tensor trained(int threads, at::ScalarType compute) {
  at::set_num_threads(threads);
  ParameterList list;
  fill(list);
  FlatParameters parameters(list, compute);
  parameters.initialise(1);
  AdamW optimizer({}, parameters);
  for (int step = 1; step <= 3; ++step) {
    at::Tensor gradients = at::zeros({parameters.gradient_size()}, parameters.master_type());
    for (const auto& entry : parameters.entries())
      for (std::int64_t i = 0; i < entry.count; ++i)
        gradients[entry.begin + i] = std::sin(static_cast<double>(entry.begin + i * step));
    optimizer.update(step, 0.01, 0.5, from(gradients));
  }
  at::set_num_threads(1);
  return at::stack({parameters.masters(), optimizer.first_moment(), optimizer.second_moment()});
}

TEST(AdamW, ThreadsChangeNoBit) {
  const at::Tensor one = trained(1, at::kFloat);
  for (const int threads : {2, 3}) EXPECT_TRUE(one.equal(trained(threads, at::kFloat))) << threads;
}

// What forward reads after three updates on ranks that share the masters out; an average takes the weights' place and
// gives it back in between.
at::Tensor trained_on(int ranks, at::ScalarType compute, std::vector<std::int64_t>* sizes = nullptr) {
  std::vector<at::Tensor> rows(static_cast<std::size_t>(ranks));
  if (sizes) sizes->resize(static_cast<std::size_t>(ranks));
  run_on_threads(ranks, [&](Communicator& world) {
    const auto rank = static_cast<std::size_t>(world.rank());
    ParameterList list;
    fill(list);
    list.add("more", {120000, 3}, Init::normal(0.5), Role::kMatrix);
    FlatParameters parameters(list, compute, {&world, world.size()});
    parameters.initialise(1);
    parameters.publish();
    OptimizerConfig config;
    config.ema_decay = 0.9;
    AdamW optimizer(config, parameters);
    const at::Tensor gradients = (at::arange(parameters.gradient_size()) % 97 - 48).to(parameters.master_type());
    std::vector<at::Tensor> read;
    const auto note = [&] {
      for (const auto& entry : parameters.entries())
        read.push_back(entry.parameter->value.detach().to(at::kDouble).flatten());
    };
    for (int step = 1; step <= 3; ++step) {
      optimizer.update(step, 0.01, 0.5, from(gradients));
      const AdamW::AverageInPlace in_place(optimizer);
      note();
    }
    note();
    rows[rank] = at::cat(read);
    if (sizes) (*sizes)[rank] = optimizer.first_moment().numel();
  });
  for (const at::Tensor& row : rows) EXPECT_TRUE(row.equal(rows[0])) << "all ranks read the same";
  return rows[0];
}

TEST(AdamW, RanksThatShareItsStateOutGetTheBitsOfOne) {
  for (const auto compute : {at::kFloat, at::kBFloat16, at::kDouble}) {
    const at::Tensor one = trained_on(1, compute);
    for (const int ranks : {2, 3, 5}) {
      std::vector<std::int64_t> sizes;
      EXPECT_TRUE(trained_on(ranks, compute, &sizes).equal(one)) << ranks << " ranks";
      const std::int64_t all = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
      EXPECT_EQ(all, 100 * kBlockElements) << "each element has one owner";
    }
  }
}

TEST(AdamW, WhatForwardReadsFollowsTheWeights) {
  ParameterList list;
  fill(list);
  FlatParameters parameters(list, at::kBFloat16);
  parameters.initialise(1);
  AdamW optimizer({}, parameters);
  optimizer.update(1, 0.1, 1, from(at::ones({parameters.gradient_size()})));
  for (const auto& entry : parameters.entries())
    EXPECT_TRUE(entry.parameter->value.equal(parameters.master(entry).to(at::kBFloat16))) << entry.parameter->name;
}

TEST(AdamW, TheAverageForgetsTheInitialWeightsAndThenKeepsItsShare) {
  ParameterList list;
  fill(list);
  FlatParameters parameters(list, at::kDouble);
  parameters.initialise(1);
  OptimizerConfig config;
  config.ema_decay = 0.25;
  AdamW optimizer(config, parameters);
  double expected = 0;
  const auto weight = [&] { return parameters.masters()[0].item<double>(); };
  for (int step = 1; step <= 6; ++step) {
    optimizer.update(step, 0.1, 1, from(at::ones({parameters.gradient_size()}, at::kDouble)));
    const double kept = std::vector{0.0, 0.1, 2.0 / 11, 0.25, 0.25, 0.25}[static_cast<std::size_t>(step - 1)];
    expected = kept * expected + (1 - kept) * weight();
    EXPECT_NEAR(optimizer.average()[0].item<double>(), expected, 1e-12) << step;
  }
}

TEST(AdamW, WithoutADecayThereIsNoAverage) {
  ParameterList list;
  fill(list);
  FlatParameters parameters(list, at::kFloat);
  EXPECT_FALSE(AdamW({}, parameters).average().defined());
}

TEST(AdamW, TheAverageTakesTheWeightsPlaceAndGivesItBack) {
  for (const auto compute : {at::kFloat, at::kBFloat16, at::kDouble}) {
    ParameterList list;
    fill(list);
    FlatParameters parameters(list, compute);
    parameters.initialise(1);
    OptimizerConfig config;
    config.ema_decay = 0.9;
    AdamW optimizer(config, parameters);
    for (int step = 1; step <= 3; ++step)
      optimizer.update(step, 0.1, 1, from(at::ones({parameters.gradient_size()}, parameters.master_type())));
    const at::Tensor weights = parameters.masters().clone(), average = optimizer.average().clone();
    ASSERT_FALSE(weights.equal(average));
    const auto& read = parameters.entries()[0].parameter->value;
    const at::Tensor before = read.detach().clone();
    {
      const AdamW::AverageInPlace in_place(optimizer);
      EXPECT_TRUE(parameters.masters().equal(average));
      EXPECT_TRUE(read.equal(parameters.master(parameters.entries()[0]).to(compute)));
      EXPECT_FALSE(read.equal(before));
    }
    EXPECT_TRUE(parameters.masters().equal(weights));
    EXPECT_TRUE(optimizer.average().equal(average));
    EXPECT_TRUE(read.equal(before));
  }
}

}  // namespace
}  // namespace trireme::train
