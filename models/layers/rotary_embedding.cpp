#include "models/layers/rotary_embedding.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "core/base/error.h"
#include "core/base/text.h"
#include "models/kernels/ops.h"

namespace trireme::models {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

std::vector<double> factors(const std::string& text, std::size_t pairs, const char* key) {
  std::vector<double> values;
  for (const std::string& part : split(text, ',')) {
    char* rest = nullptr;
    const double value = std::strtod(part.c_str(), &rest);
    if (part.empty() || *rest != '\0' || !(value > 0 && std::isfinite(value)))
      throw Error(ErrorCode::kUsage, key, " must be numbers above 0 with commas between them, got '", part, "'");
    values.push_back(value);
  }
  if (values.size() != pairs)
    throw Error(ErrorCode::kUsage, key, " has ", values.size(), " numbers; ", pairs,
                " are due, one for each pair of channels that turns");
  return values;
}

double llama3(double frequency, const RopeScaling& scaling, double original) {
  const double turns = original * frequency / kTurn;
  if (turns > scaling.high_frequency_factor) return frequency;
  if (turns < scaling.low_frequency_factor) return frequency / scaling.factor;
  const double kept =
      (turns - scaling.low_frequency_factor) / (scaling.high_frequency_factor - scaling.low_frequency_factor);
  return (1 - kept) * frequency / scaling.factor + kept * frequency;
}

void yarn(std::vector<double>& frequencies, const ModelConfig& config, std::int64_t channels, double original) {
  const RopeScaling& scaling = config.rope_scaling;
  // The pair that turns so many times in the original context.
  const auto pair_of = [&](double turns) {
    return static_cast<double>(channels) * std::log(original / (turns * kTurn)) / (2 * std::log(config.rope_base));
  };
  double low = pair_of(scaling.beta_fast), high = pair_of(scaling.beta_slow);
  if (scaling.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(channels - 1));
  if (low == high) high += 0.001;
  for (std::size_t pair = 0; pair < frequencies.size(); ++pair) {
    const double slowed = std::clamp((static_cast<double>(pair) - low) / (high - low), 0.0, 1.0);
    frequencies[pair] *= slowed / scaling.factor + (1 - slowed);
  }
}

}  // namespace

RotaryEmbedding::RotaryEmbedding(const ModelConfig& config) : context_(config.context) {
  const std::int64_t width = config.head_width_or_default();
  const auto channels = static_cast<std::int64_t>(static_cast<double>(width) * config.rope_share);
  if (channels == width && width % 2 != 0)
    throw Error(ErrorCode::kUsage,
                "model.width / model.heads or model.head-width must be even for rotary positions, got ", width);
  const RopeScaling& scaling = config.rope_scaling;
  const auto original = static_cast<double>(scaling.original_context > 0 ? scaling.original_context : config.context);
  std::vector<double>& frequencies = frequencies_[0];
  for (std::int64_t pair = 0; pair < (channels + 1) / 2; ++pair)
    frequencies.push_back(std::pow(config.rope_base, -2.0 * static_cast<double>(pair) / static_cast<double>(channels)));
  if (scaling.type == "linear") {
    for (double& frequency : frequencies) frequency /= scaling.factor;
  } else if (scaling.type == "llama3") {
    if (!(scaling.high_frequency_factor > scaling.low_frequency_factor))
      throw Error(ErrorCode::kUsage, "model.rope-scaling.high-frequency-factor must be above low-frequency-factor ",
                  scaling.low_frequency_factor, ", got ", scaling.high_frequency_factor);
    for (double& frequency : frequencies) frequency = llama3(frequency, scaling, original);
  } else if (scaling.type == "yarn") {
    yarn(frequencies, config, channels, original);
    scale_ = scaling.attention_factor > 0 ? scaling.attention_factor
             : scaling.factor > 1         ? 0.1 * std::log(scaling.factor) + 1
                                          : 1;
  } else if (scaling.type == "longrope") {
    frequencies_[1] = frequencies;
    const char* const keys[] = {"model.rope-scaling.short-factors", "model.rope-scaling.long-factors"};
    const std::string* const texts[] = {&scaling.short_factors, &scaling.long_factors};
    for (int which = 0; which < 2; ++which) {
      const std::vector<double> by = factors(*texts[which], frequencies.size(), keys[which]);
      for (std::size_t pair = 0; pair < by.size(); ++pair) frequencies_[which][pair] /= by[pair];
    }
    const double factor = static_cast<double>(config.context) / original;
    scale_ = scaling.attention_factor > 0 ? scaling.attention_factor
             : factor > 1                 ? std::sqrt(1 + std::log(factor) / std::log(original))
                                          : 1;
    if (original < static_cast<double>(config.context)) border_ = static_cast<std::int64_t>(original);
  }
}

RotaryEmbedding::Table RotaryEmbedding::table(bool long_sequence, bool wide, std::int64_t positions) const {
  const std::lock_guard lock(mutex_);
  Table& table = tables_[long_sequence][wide];
  if (table.cos.defined() && table.cos.size(0) >= positions) return table;
  // Twice as long each time: a text that grows by single tokens asks for a longer one each time.
  const std::int64_t known = table.cos.defined() ? table.cos.size(0) : 0;
  const std::int64_t rows = std::min(context_, std::max(positions, 2 * known));
  const std::vector<double>& frequencies = frequencies_[long_sequence];
  const auto pairs = static_cast<std::int64_t>(frequencies.size());
  at::Tensor cosine = at::empty({rows, pairs}, at::kDouble), sine = at::empty({rows, pairs}, at::kDouble);
  auto* c = cosine.mutable_data_ptr<double>();
  auto* s = sine.mutable_data_ptr<double>();
  for (std::int64_t position = 0; position < rows; ++position)
    for (const double frequency : frequencies) {
      const double angle = static_cast<double>(position) * frequency;
      *c++ = std::cos(angle) * scale_;
      *s++ = std::sin(angle) * scale_;
    }
  const at::ScalarType type = wide ? at::kDouble : at::kFloat;
  return table = {cosine.to(type), sine.to(type)};
}

void RotaryEmbedding::expect_fits(std::int64_t positions) const {
  if (positions > context_)
    throw Error(ErrorCode::kBadInput, "position ", positions, " lies beyond model.context ", context_);
}

at::Tensor RotaryEmbedding::forward(const at::Tensor& x_bhtd, std::int64_t offset) const {
  const std::int64_t tokens = x_bhtd.size(2);
  expect_fits(offset + tokens);
  if (frequencies_[0].empty()) return x_bhtd;
  const Table angles = table(is_long(offset + tokens), x_bhtd.scalar_type() == at::kDouble, offset + tokens);
  return ops::rotate(x_bhtd, angles.cos.narrow(0, offset, tokens), angles.sin.narrow(0, offset, tokens));
}

at::Tensor RotaryEmbedding::forward(const at::Tensor& x_bhtd, const Documents& documents) const {
  expect_fits(documents.longest());
  if (frequencies_[0].empty()) return x_bhtd;
  std::vector<at::Tensor> cos, sin;
  // Documents of one table at a time, which is all of them but where long ones turn by other angles.
  for (std::int64_t first = 0, last = 0; first < documents.count(); first = last) {
    const bool long_sequence = is_long(documents.length(first));
    while (last < documents.count() && is_long(documents.length(last)) == long_sequence) ++last;
    const Table angles = table(long_sequence, x_bhtd.scalar_type() == at::kDouble, documents.longest());
    const at::Tensor positions =
        documents.positions().narrow(0, documents.begin(first), documents.begin(last) - documents.begin(first));
    cos.push_back(angles.cos.index_select(0, positions));
    sin.push_back(angles.sin.index_select(0, positions));
  }
  if (cos.size() == 1) return ops::rotate(x_bhtd, cos[0], sin[0]);
  return ops::rotate(x_bhtd, at::cat(cos), at::cat(sin));
}

}  // namespace trireme::models
