#include "train/parallel/flat_parameters.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "core/base/error.h"

namespace trireme::train {
namespace {

using models::Init;
using models::ParameterList;
using models::Role;

// In the order of the forward pass; 7 and 5 elements are not whole cache lines.
void fill(ParameterList& list) {
  list.add("embedding", {5, 4}, Init::normal(0.5), Role::kTable);
  list.add("norm", {7}, Init::ones(), Role::kNorm);
  list.add_tied("head", list.all().front(), Role::kMatrix);
}

const FlatParameters::Entry& entry(const FlatParameters& flat, const std::string& name) {
  return *std::find_if(flat.entries().begin(), flat.entries().end(),
                       [&](const auto& each) { return each.parameter->name == name; });
}

TEST(FlatParameters, TheLastLayerComesFirstAndTiedGradientsLast) {
  ParameterList list;
  fill(list);
  const FlatParameters flat(list, at::kFloat);
  ASSERT_EQ(flat.entries().size(), 3u);
  EXPECT_EQ(flat.entries()[0].parameter->name, "norm");
  EXPECT_EQ(flat.entries()[1].parameter->name, "embedding");
  EXPECT_EQ(flat.entries()[2].parameter->name, "head");
  EXPECT_EQ(flat.size(), 2 * kBlockElements) << "each part of the model begins a block";
  EXPECT_EQ(flat.gradient_size(), 3 * kBlockElements);
}

TEST(FlatParameters, EntriesBeginOnCacheLinesAndDoNotOverlap) {
  ParameterList list;
  fill(list);
  const FlatParameters flat(list, at::kFloat);
  std::int64_t end = 0;
  for (const auto& each : flat.entries()) {
    EXPECT_EQ(each.begin % 16, 0);
    EXPECT_GE(each.begin, end);
    end = each.begin + each.count;
  }
  EXPECT_LE(end, flat.gradient_size());
}

TEST(FlatParameters, TiedParametersShareWeightsAndAreLeavesOfTheirOwn) {
  ParameterList list;
  fill(list);
  FlatParameters flat(list, at::kFloat);
  flat.initialise(1);
  const auto& embedding = entry(flat, "embedding");
  const auto& head = entry(flat, "head");
  EXPECT_EQ(head.tied_begin, embedding.begin);
  EXPECT_EQ(head.parameter->value.const_data_ptr(), embedding.parameter->value.const_data_ptr());
  EXPECT_TRUE(flat.master(head).equal(flat.master(embedding)));
  (embedding.parameter->value * 2).sum().backward();
  EXPECT_TRUE(embedding.parameter->value.grad().defined());
  EXPECT_FALSE(head.parameter->value.grad().defined());
}

TEST(FlatParameters, InitialValuesFollowSeedAndNameAlone) {
  ParameterList one, two;
  fill(one);
  fill(two);
  two.add("more", {100}, Init::normal(1), Role::kMatrix);  // moves all others in the row
  FlatParameters a(one, at::kFloat), b(two, at::kFloat), other(one, at::kFloat);
  ASSERT_NE(entry(a, "embedding").begin, entry(b, "embedding").begin);
  a.initialise(3);
  b.initialise(3);
  EXPECT_TRUE(a.master(entry(a, "embedding")).equal(b.master(entry(b, "embedding"))));
  other.initialise(4);
  EXPECT_FALSE(a.master(entry(a, "embedding")).equal(other.master(entry(other, "embedding"))));
  EXPECT_TRUE(a.master(entry(a, "norm")).equal(other.master(entry(other, "norm"))));  // ones
}

TEST(FlatParameters, Float64StartsWhereFloat32Does) {
  ParameterList one, two;
  fill(one);
  fill(two);
  FlatParameters narrow(one, at::kFloat), wide(two, at::kDouble);
  narrow.initialise(3);
  wide.initialise(3);
  EXPECT_TRUE(narrow.masters().to(at::kDouble).equal(wide.masters()));
}

TEST(FlatParameters, Bfloat16ReadsRoundedMasters) {
  ParameterList list;
  fill(list);
  FlatParameters flat(list, at::kBFloat16);
  EXPECT_EQ(flat.master_type(), at::kFloat);
  flat.initialise(3);
  const auto& embedding = entry(flat, "embedding");
  EXPECT_EQ(embedding.parameter->value.scalar_type(), at::kBFloat16);
  EXPECT_EQ(embedding.parameter->value.abs().sum().item<float>(), 0) << "before publish()";
  flat.publish();
  EXPECT_TRUE(embedding.parameter->value.equal(flat.master(embedding).to(at::kBFloat16)));
}

TEST(FlatParameters, NewMastersAreWhatForwardReadsWithoutACopy) {
  ParameterList list;
  fill(list);
  FlatParameters flat(list, at::kFloat);
  const at::NoGradGuard no_grad;
  flat.masters().fill_(2);
  flat.publish();
  EXPECT_EQ(entry(flat, "norm").parameter->value.sum().item<float>(), 14);
}

TEST(FlatParameters, APrecisionHasAType) {
  EXPECT_EQ(compute_type("fp32"), at::kFloat);
  EXPECT_EQ(compute_type("bf16"), at::kBFloat16);
  EXPECT_EQ(compute_type("fp64"), at::kDouble);
  EXPECT_THROW(compute_type("fp16"), Error);
}

}  // namespace
}  // namespace trireme::train
