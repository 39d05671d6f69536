#include "models/parameters.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <charconv>

#include "core/base/error.h"
#include "core/base/random.h"

namespace trireme::models {

std::string_view group_of(std::string_view name) {
  constexpr std::string_view kBlocks = "blocks.";
  return name.substr(0, name.find('.', name.starts_with(kBlocks) ? kBlocks.size() : 0));
}

std::pair<std::int64_t, std::string_view> split_block_name(std::string_view name) {
  constexpr std::string_view kBlocks = "blocks.";
  if (!name.starts_with(kBlocks)) return {-1, name};
  const std::size_t end = name.find('.', kBlocks.size());
  std::int64_t layer = -1;
  std::from_chars(name.data() + kBlocks.size(), name.data() + end, layer);
  if (end == std::string_view::npos || layer < 0)
    throw Error(ErrorCode::kBug, "no name of a block's parameter: ", name);
  return {layer, name.substr(end + 1)};
}

bool is_adapter(std::string_view name) {
  const std::string_view part = name.substr(0, name.rfind('.'));
  return part.ends_with(".lora-down") || part.ends_with(".lora-up");
}

Parameter& ParameterList::add(std::string name, std::vector<std::int64_t> shape, Init init, Role role, double share) {
  if (!names_.insert(name).second) throw Error(ErrorCode::kBug, "two parameters are called ", name);
  parameters_.push_back({std::move(name), std::move(shape), init, role, share, nullptr, false, {}});
  return parameters_.back();
}

Parameter& ParameterList::add_tied(std::string name, const Parameter& other, Role role) {
  parameters_.push_back({std::move(name), other.shape, other.init, role, 1, &other, false, {}});
  return parameters_.back();
}

std::int64_t ParameterList::elements() const {
  std::int64_t sum = 0;
  for (const Parameter& parameter : parameters_)
    if (!parameter.tied_to) sum += parameter.elements();
  return sum;
}

std::int64_t ParameterList::trained_elements() const {
  std::int64_t sum = 0;
  for (const Parameter& parameter : parameters_)
    if (!parameter.tied_to && !parameter.frozen) sum += parameter.elements();
  return sum;
}

void ParameterList::freeze_but_adapters() {
  for (Parameter& parameter : parameters_) parameter.frozen = !is_adapter(parameter.name);
}

void allocate(ParameterList& parameters, at::ScalarType type) {
  for (Parameter& parameter : parameters.all())
    parameter.value = parameter.tied_to ? parameter.tied_to->value.detach() : at::empty(parameter.shape, type);
}

void initial_values(const Parameter& parameter, std::uint64_t seed, std::int64_t begin, std::int64_t count,
                    float* out) {
  switch (parameter.init.kind) {
    case Init::kZeros:
      std::fill_n(out, count, 0.0f);
      break;
    case Init::kOnes:
      std::fill_n(out, count, 1.0f);
      break;
    case Init::kNormal:
      RandomStream(seed, "weights/" + parameter.name)
          .fill_normal(out, static_cast<std::uint64_t>(begin), static_cast<std::uint64_t>(count),
                       static_cast<float>(parameter.init.deviation));
      break;
  }
}

void initial_values(const Parameter& parameter, std::uint64_t seed, std::int64_t begin, std::int64_t count,
                    double* out) {
  // The float32 values: a run in fp64 starts where the run in fp32 does.
  constexpr std::int64_t kPiece = 4096;
  float piece[kPiece];
  for (std::int64_t done = 0; done < count; done += kPiece) {
    const std::int64_t size = std::min(kPiece, count - done);
    initial_values(parameter, seed, begin + done, size, piece);
    std::copy_n(piece, size, out + done);
  }
}

}  // namespace trireme::models
