#include "train/optim/adamw.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

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
    optimizer.update(1, 0.1, 1, at::zeros({parameters.gradient_size()}, at::kDouble));
    std::map<std::string, double> kept;  // share of the weights that one update without gradients leaves
    for (const auto& entry : parameters.entries())
      if (entry.tied_begin < 0)
        kept[entry.parameter->name] =
            parameters.masters()[entry.begin].item<double>() / before[entry.begin].item<double>();
    for (const char* name : {"query", "big"}) EXPECT_NEAR(kept.at(name), 0.95, 1e-12) << name;
    for (const char* name : {"embedding", "bias", "norm"}) EXPECT_EQ(kept.at(name), 1) << name;
    if (!tied) EXPECT_NEAR(kept.at("head"), 0.95, 1e-12);
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
    optimizer.update(step, 0.01, 0.5, gradients);
  }
  at::set_num_threads(1);
  return at::stack({parameters.masters(), optimizer.first_moment(), optimizer.second_moment()});
}

TEST(AdamW, ThreadsChangeNoBit) {
  const at::Tensor one = trained(1, at::kFloat);
  for (const int threads : {2, 3}) EXPECT_TRUE(one.equal(trained(threads, at::kFloat))) << threads;
}

TEST(AdamW, WhatForwardReadsFollowsTheWeights) {
  ParameterList list;
  fill(list);
  FlatParameters parameters(list, at::kBFloat16);
  parameters.initialise(1);
  AdamW optimizer({}, parameters);
  optimizer.update(1, 0.1, 1, at::ones({parameters.gradient_size()}));
  for (const auto& entry : parameters.entries())
    EXPECT_TRUE(entry.parameter->value.equal(parameters.master(entry).to(at::kBFloat16))) << entry.parameter->name;
}

}  // namespace
}  // namespace trireme::train
