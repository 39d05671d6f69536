#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tune/search/method.h"
#include "tune/search/pareto.h"
#include "tune/search/search.h"

namespace trireme::tune::testing {

// Spaces and searches that tests of several methods use.

inline Dimension real(std::string name, double min = 0, double max = 1,
                      Dimension::Scale scale = Dimension::Scale::kUniform) {
  Dimension dimension;
  dimension.name = std::move(name);
  dimension.min = min;
  dimension.max = max;
  dimension.scale = scale;
  return dimension;
}

inline Dimension integer(std::string name, double min, double max,
                         Dimension::Scale scale = Dimension::Scale::kUniform) {
  Dimension dimension = real(std::move(name), min, max, scale);
  dimension.kind = Dimension::Kind::kInteger;
  return dimension;
}

inline Dimension stepped(std::string name, double min, double max, double step) {
  Dimension dimension = real(std::move(name), min, max);
  dimension.step = step;
  return dimension;
}

inline Dimension choice(std::string name, std::vector<Value> choices, std::vector<double> weights = {}) {
  Dimension dimension;
  dimension.name = std::move(name);
  dimension.kind = Dimension::Kind::kChoice;
  dimension.choices = std::move(choices);
  dimension.weights = std::move(weights);
  return dimension;
}

inline Dimension when(Dimension dimension, std::string parent, std::vector<Value> values) {
  dimension.when.push_back(
      {.parent = std::move(parent), .values = std::move(values), .min = {}, .max = {}, .where = {}});
  return dimension;
}

// A number of each kind, a choice without order, a parameter of each of its values, and a constraint.
inline Space mixed_space() {
  return Space({real("rate", 1e-4, 1, Dimension::Scale::kLog), integer("layers", 1, 8), stepped("dropout", 0, 0.5, 0.1),
                choice("optimizer", {std::string("sgd"), std::string("adam")}),
                when(real("momentum", 0, 1), "optimizer", {std::string("sgd")}),
                when(real("beta", 0.5, 1), "optimizer", {std::string("adam")})},
               {Constraint::parse("layers * dropout <= 2")});
}

// 3 * 4 * (1 + 2) = 36 points, of which 30 obey the constraint.
inline Space finite_space() {
  return Space({integer("layers", 1, 3),
                choice("width", {std::int64_t{8}, std::int64_t{16}, std::int64_t{32}, std::int64_t{64}}),
                choice("optimizer", {std::string("sgd"), std::string("adam")}),
                when(choice("nesterov", {true, false}), "optimizer", {std::string("sgd")})},
               {Constraint::parse("layers * width <= 96")});
}

inline Observation done(std::int64_t trial, Point point, std::vector<double> values) {
  return {
      .trial = trial, .point = std::move(point), .outcome = Outcome::kDone, .values = std::move(values), .note = {}};
}

// The least value of (x - 1)^2 + (y - 1)^2 + (z - 1)^2 on [-5, 5] after 80 trials, the median of 11 seeds.
inline double median_best_on_sphere(const std::string& method) {
  std::vector<double> bests;
  for (std::uint64_t seed = 0; seed < 11; ++seed) {
    Search search(Space({real("x", -5, 5), real("y", -5, 5), real("z", -5, 5)}), {.method = method, .seed = seed});
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < 80; ++i) {
      const auto trial = search.ask();
      double value = 0;
      for (const Parameter& parameter : trial->parameters) value += std::pow(*value_number(parameter.value) - 1, 2);
      search.tell(trial->number, {value});
      best = std::min(best, value);
    }
    bests.push_back(best);
  }
  std::nth_element(bests.begin(), bests.begin() + 5, bests.end());
  return bests[5];
}

// What trials left of the hypervolume of two objectives, x^2 and (x - 1)^2, each with the square of the distance to a
// line added: it is 0 on the line.
inline double gap_to_front(const std::string& method, int trials) {
  Search search(Space({real("x", 0, 1), real("y", 0, 1), real("z", 0, 1)}),
                {.method = method, .seed = 6, .objectives = 2});
  std::vector<std::vector<double>> values;
  for (int i = 0; i < trials; ++i) {
    const auto trial = search.ask();
    const auto at = [&](std::size_t k) { return *value_number(trial->parameters[k].value); };
    const double off = std::pow(at(1) - 0.5, 2) + std::pow(at(2) - 0.5, 2);
    values.push_back({at(0) * at(0) + off, (at(0) - 1) * (at(0) - 1) + off});
    search.tell(trial->number, values.back());
  }
  return 5.0 / 6 - hypervolume(values, {1, 1});  // the front is sqrt(f) + sqrt(g) = 1
}

}  // namespace trireme::tune::testing
