#include "tune/space/dimension.h"

#include <algorithm>
#include <boost/math/special_functions/erf.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numbers>
#include <numeric>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme::tune {
namespace {

// From 0 to the farthest value. With more, positions would no longer tell neighbours apart: whole numbers of a log
// scale, what is far out in a normal distribution; nor would 12 digits tell real numbers apart.
constexpr double kMostSteps = 1e12, kMostRealSteps = 1e9, kMostNormalSteps = 1e7;
constexpr double kTail = 1e-9;  // of a normal distribution: 6 deviations from the mean

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }
double normal_quantile(double p) { return -std::numbers::sqrt2 * boost::math::erfc_inv(2 * p); }

// 0.1 * 3 is 0.30000000000000004; whoever wrote a step of 0.1 wants to see 0.3.
double without_dust(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.12g", value);
  return std::strtod(text, nullptr);
}

// Whether a number is a multiple of a step, as far as its 12 digits say.
bool is_whole(double steps) { return std::abs(steps - std::round(steps)) <= 1e-6 + 1e-12 * std::abs(steps); }

template <class... Parts>
void require(const Dimension& dimension, bool ok, const Parts&... message) {
  if (ok) return;
  const std::string& where = dimension.where;
  throw Error(ErrorCode::kUsage, "parameter ", dimension.name, " ", message...,
              where.empty() ? "" : " (" + where + ")");
}

void validate_choices(const Dimension& d) {
  require(d, !d.choices.empty(), "has no values");
  for (std::size_t i = 0; i < d.choices.size(); ++i) {
    const auto number = value_number(d.choices[i]);
    require(d, !number || std::isfinite(*number), "must have finite values, got ", value_text(d.choices[i]));
    for (std::size_t j = 0; j < i; ++j)
      require(d, !same_value(d.choices[i], d.choices[j]), "has the value ", value_text(d.choices[i]), " twice",
              d.choices[i] == d.choices[j] ? "" : ": as a number it is the same as " + value_text(d.choices[j]));
  }
  require(d, d.weights.empty() || d.weights.size() == d.choices.size(), "has ", d.choices.size(), " values, but ",
          d.weights.size(), " probabilities");
  double sum = 0;
  for (const double weight : d.weights) {
    require(d, weight > 0 && std::isfinite(weight), "must have probabilities above 0, got ", to_text(weight));
    sum += weight;
  }
  require(d, std::isfinite(sum), "has probabilities that add up to ", to_text(sum));
}

void validate_steps(const Dimension& d, double farthest, double most) {
  const bool integer = d.kind == Dimension::Kind::kInteger;
  require(d, d.step >= 0 && std::isfinite(d.step), "must have a step above 0, got ", to_text(d.step));
  require(d, !integer || d.step == std::floor(d.step), "is an integer: its step must be a whole number, got ",
          to_text(d.step));
  const double gap = integer ? std::max(d.step, 1.0) : d.step;
  require(d, gap == 0 || farthest / gap <= most, "must have values within ", to_text(most), " steps of 0, got ",
          to_text(farthest), " in steps of ", to_text(gap));
}

void validate_normal(const Dimension& d) {
  require(d, std::isfinite(d.mean), "must have a finite mu, got ", to_text(d.mean));
  require(d, d.deviation > 0 && std::isfinite(d.deviation), "must have a sigma above 0, got ", to_text(d.deviation));
  const bool logarithmic = d.scale == Dimension::Scale::kLogNormal;
  const double farthest = logarithmic ? d.mean + 8 * d.deviation : std::abs(d.mean) + 8 * d.deviation;
  require(d, logarithmic ? std::abs(d.mean) + 8 * d.deviation < 700 : std::isfinite(farthest),
          "has a distribution whose values pass all numbers: mu ", to_text(d.mean), ", sigma ", to_text(d.deviation),
          logarithmic ? " are of the logarithm" : "");
  validate_steps(d, logarithmic ? std::exp(farthest) : farthest, kMostNormalSteps);
}

void validate_range(const Dimension& d) {
  const bool integer = d.kind == Dimension::Kind::kInteger;
  require(d, std::isfinite(d.min) && std::isfinite(d.max), "must have finite bounds, got ", to_text(d.min), " and ",
          to_text(d.max));
  require(d, d.min <= d.max, "has min ", to_text(d.min), " above max ", to_text(d.max));
  require(d, d.scale != Dimension::Scale::kLog || d.min > 0, "has a log scale, which needs min above 0, got ",
          to_text(d.min));
  require(d, std::isfinite(d.max - d.min), "spans more than numbers can: ", to_text(d.min), " to ", to_text(d.max));
  require(d, !integer || (d.min == std::floor(d.min) && d.max == std::floor(d.max)),
          "is an integer: its bounds must be whole numbers, got ", to_text(d.min), " and ", to_text(d.max));
  validate_steps(d, std::max(std::abs(d.min), std::abs(d.max)), integer ? kMostSteps : kMostRealSteps);
  if (d.step == 0 || d.min == d.max) return;
  const double steps = (d.max - d.min) / d.step;
  if (is_whole(steps)) return;
  const double below = without_dust(d.min + std::floor(steps) * d.step), above = without_dust(below + d.step);
  require(d, false, "cannot reach max ", to_text(d.max), " from min ", to_text(d.min), " in steps of ", to_text(d.step),
          ": the nearest that can be reached are ", to_text(below), " and ", to_text(above));
}

}  // namespace

Dimension Dimension::real(std::string name, double min, double max) {
  Dimension dimension;
  dimension.name = std::move(name);
  dimension.min = min;
  dimension.max = max;
  return dimension;
}

Dimension Dimension::log_real(std::string name, double min, double max) {
  Dimension dimension = real(std::move(name), min, max);
  dimension.scale = Scale::kLog;
  return dimension;
}

Dimension Dimension::integer(std::string name, double min, double max) {
  Dimension dimension = real(std::move(name), min, max);
  dimension.kind = Kind::kInteger;
  return dimension;
}

Dimension Dimension::choice(std::string name, std::vector<Value> choices) {
  Dimension dimension;
  dimension.name = std::move(name);
  dimension.kind = Kind::kChoice;
  dimension.choices = std::move(choices);
  return dimension;
}

void Dimension::validate() const {
  require(*this, !name.empty(), "needs a name");
  if (kind == Kind::kChoice) return validate_choices(*this);
  require(*this, choices.empty() && weights.empty(), "is a number: values and probabilities are of choices");
  if (scale == Scale::kNormal || scale == Scale::kLogNormal) return validate_normal(*this);
  validate_range(*this);
}

void Dimension::prepare() {
  if (kind == Kind::kChoice) {
    levels_ = static_cast<std::int64_t>(choices.size());
    by_number_.resize(choices.size());
    std::iota(by_number_.begin(), by_number_.end(), std::size_t{0});
    ordered_ = choices.size() > 1 && std::all_of(choices.begin(), choices.end(),
                                                 [](const Value& value) { return value_number(value).has_value(); });
    if (ordered_)
      std::sort(by_number_.begin(), by_number_.end(),
                [&](std::size_t a, std::size_t b) { return *value_number(choices[a]) < *value_number(choices[b]); });
    return;
  }
  if (kind == Kind::kInteger) step = std::max(step, 1.0);
  if (scale == Scale::kNormal || scale == Scale::kLogNormal) return;
  if (min == max && step == 0) step = 1;  // one value is no continuum
  levels_ = step > 0 ? static_cast<std::int64_t>(std::llround((max - min) / step)) + 1 : 0;
  low_ = min - step / 2;
  high_ = max + step / 2;
  if (scale == Scale::kLog) {
    low_ = std::log(std::max(low_, min / 2));
    high_ = std::log(high_);
  }
}

double Dimension::quantile(double position) const {
  switch (scale) {
    case Scale::kUniform:
      return low_ + position * (high_ - low_);
    case Scale::kLog:
      return std::exp(low_ + position * (high_ - low_));
    default: {
      const double value = mean + deviation * normal_quantile(std::clamp(position, kTail, 1 - kTail));
      return scale == Scale::kNormal ? value : std::exp(value);
    }
  }
}

double Dimension::place(double number) const {
  const bool logarithmic = scale == Scale::kLog || scale == Scale::kLogNormal;
  // A log-normal distribution with steps rounds to 0, which has no logarithm: it stands in the middle of its cell.
  const double scaled = logarithmic ? std::log(std::max(number, scale == Scale::kLogNormal ? step / 4 : 0)) : number;
  if (scale == Scale::kNormal || scale == Scale::kLogNormal)
    return std::clamp(normal_cdf((scaled - mean) / deviation), kTail, 1 - kTail);
  if (!(low_ < high_)) return 0.5;  // one value, next to which half a step is nothing
  return std::clamp((scaled - low_) / (high_ - low_), 0.0, 1.0);
}

std::int64_t Dimension::level_of(double position) const {
  const double last = static_cast<double>(levels_ - 1);
  const double level = kind == Kind::kChoice ? std::floor(position * static_cast<double>(levels_))
                                             : std::round((quantile(position) - min) / step);
  return static_cast<std::int64_t>(std::clamp(level, 0.0, last));
}

double Dimension::position_of_level(std::int64_t level) const {
  if (kind == Kind::kChoice) return (static_cast<double>(level) + 0.5) / static_cast<double>(levels_);
  return place(number_of_level(level));
}

// From 0 on where 0 is on the way: -0.3 + 3 * 0.1 is 5e-17.
double Dimension::number_of_level(std::int64_t level) const {
  const auto steps = static_cast<double>(level);
  return is_whole(min / step) ? (std::round(min / step) + steps) * step : min + steps * step;
}

double Dimension::snap(double position) const {
  position = std::clamp(position, 0.0, 1.0);
  if (levels_ > 0) return position_of_level(level_of(position));
  return is_discrete() ? place(nearest_step(quantile(position))) : position;
}

Value Dimension::value_at(double position) const {
  if (kind == Kind::kChoice) return choices[by_number_[static_cast<std::size_t>(level_of(position))]];
  double number = quantile(position);
  if (levels_ > 0)
    number = number_of_level(level_of(position));
  else if (step > 0)
    number = nearest_step(number);
  if (kind == Kind::kInteger) return static_cast<std::int64_t>(std::llround(number));
  if (step > 0) number = without_dust(number);
  return scale == Scale::kUniform || scale == Scale::kLog ? std::clamp(number, min, max) : number;
}

double Dimension::position_of(const Value& value) const {
  const auto refuse = [&](const auto&... allowed) {
    throw Error(ErrorCode::kBadInput, "parameter ", name, " takes ", allowed..., ", got ", value_text(value));
  };
  if (kind == Kind::kChoice) {
    for (std::size_t level = 0; level < by_number_.size(); ++level)
      if (same_value(choices[by_number_[level]], value)) return position_of_level(static_cast<std::int64_t>(level));
    std::vector<std::string> names;
    for (const Value& choice : choices) names.push_back(value_text(choice));
    refuse(names.size() == 1 ? "" : "one of ", join(names, ", "));
  }
  const auto number = value_number(value);
  if (!number || !std::isfinite(*number)) refuse(kind == Kind::kInteger ? "an integer" : "a number");
  if (kind == Kind::kInteger && *number != std::floor(*number)) refuse("an integer");
  const auto [lowest, highest] = bounds();
  if (!(*number >= lowest && *number <= highest))
    refuse(kind == Kind::kInteger ? "an integer" : "a number", " in [", to_text(lowest), ", ", to_text(highest), "]");
  if (step == 0) return place(*number);
  const double from = levels_ > 0 ? min : 0.0, steps = (*number - from) / step;
  if (!is_whole(steps)) refuse("steps of ", to_text(step), " from ", to_text(from), " on");
  return levels_ > 0 ? position_of_level(std::llround(steps)) : place(nearest_step(*number));
}

double Dimension::nearest_step(double number) const { return std::round(number / step) * step + 0.0; }  // no -0

std::pair<double, double> Dimension::bounds() const {
  if (scale == Scale::kUniform || scale == Scale::kLog) return {min, max};
  if (step == 0) return {quantile(0), quantile(1)};
  return {without_dust(nearest_step(quantile(0))), without_dust(nearest_step(quantile(1)))};
}

double Dimension::draw(double uniform) const {
  if (weights.empty()) return snap(uniform);
  double left = uniform * std::accumulate(weights.begin(), weights.end(), 0.0);
  std::size_t chosen = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    chosen = i;
    left -= weights[i];
    if (left < 0) break;
  }
  const auto level = std::find(by_number_.begin(), by_number_.end(), chosen) - by_number_.begin();
  return position_of_level(level);
}

}  // namespace trireme::tune
