#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tune/space/value.h"

namespace trireme::tune {

/// When a parameter is there at all: its parent is active and has one of these values, or a number in this range.
struct Condition {
  std::string parent;
  std::vector<Value> values;       ///< any of them; empty: the range counts
  std::optional<double> min, max;  ///< inclusive
  std::string where;               ///< of the file, for messages
};

/// One parameter: what values it takes, how likely each is beforehand, and when it is active.
///
/// Searches see a *position* in [0, 1] instead of a value. A position is the value's place in the distribution: uniform
/// positions are draws of the distribution, so a log range is a log range for every method without any of them knowing.
/// Discrete values own cells of positions and are represented by one position in their cell; a whole range's first and
/// last value own whole cells (so min and max are drawn as often as the others).
struct Dimension {
  enum class Kind { kReal, kInteger, kChoice };
  enum class Scale { kUniform, kLog, kNormal, kLogNormal };

  std::string name;
  Kind kind = Kind::kReal;
  Scale scale = Scale::kUniform;
  double min = 0, max = 1;         ///< inclusive; of kUniform and kLog
  double mean = 0, deviation = 1;  ///< of kNormal; of kLogNormal: of the logarithm
  double step = 0;                 ///< between neighbouring values, counted from min (kNormal: from 0); 0: none
  std::vector<Value> choices;      ///< of kChoice
  std::vector<double> weights;     ///< of choices, above 0, for random draws; empty: all the same
  std::vector<Condition> when;     ///< all must hold
  std::string where;               ///< of the file, for messages

  static Dimension real(std::string name, double min, double max);
  static Dimension log_real(std::string name, double min, double max);
  static Dimension integer(std::string name, double min, double max);
  static Dimension choice(std::string name, std::vector<Value> choices);

  /// Checks what one parameter alone can be checked for. @throws Error kUsage: name, value seen, what is allowed
  void validate() const;

  /// Choices that are not all numbers have no order: methods may only ask whether two are the same.
  bool is_ordered() const { return ordered_; }
  bool is_discrete() const { return kind != Kind::kReal || step > 0; }
  /// How many values there are; 0: no end of them, as of all normal distributions.
  std::int64_t levels() const { return levels_; }

  /// The number of the value at a position, from 0 to levels() - 1. Only where levels() is not 0.
  std::int64_t level_of(double position) const;
  /// The position that stands for a level.
  double position_of_level(std::int64_t level) const;

  Value value_at(double position) const;
  /// The position of a value. @throws Error kBadInput: not of the type, out of range or none of the choices
  double position_of(const Value& value) const;
  /// The position that stands for the value at this one; a continuous position is its own. Positions outside of [0, 1]
  /// are clamped.
  double snap(double position) const;
  /// A draw of the distribution from a uniform number: the same as snap(), but for choices that have weights.
  double draw(double uniform) const;

  /// Derives what the accessors above stand on; Space calls it behind validate().
  void prepare();

 private:
  double quantile(double position) const;  // before rounding
  double place(double number) const;       // its inverse
  double number_of_level(std::int64_t level) const;
  double nearest_step(double number) const;  // of a normal distribution: a multiple of the step
  std::pair<double, double> bounds() const;  // least and largest value; of normal ones 6 deviations away
  bool ordered_ = true;
  std::int64_t levels_ = 0;
  double low_ = 0, high_ = 1;           // of the scale, half a step beyond min and max where values are discrete
  std::vector<std::size_t> by_number_;  // level of an ordered choice -> its place in choices
};

/// Whether values have no ends.
inline bool is_normal(Dimension::Scale scale) {
  return scale == Dimension::Scale::kNormal || scale == Dimension::Scale::kLogNormal;
}

}  // namespace trireme::tune
