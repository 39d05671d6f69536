#include "train/parallel/placement.h"

#include <algorithm>

#include "core/base/error.h"
#include "models/registry.h"

namespace trireme::train {
namespace {

double multiplied(models::ParameterList& parameters, bool in_blocks) {
  double sum = 0;
  for (const models::Parameter& parameter : parameters.all())
    if (parameter.role == models::Role::kMatrix && parameter.name.starts_with("blocks.") == in_blocks)
      sum += static_cast<double>(parameter.elements()) * parameter.share;
  return sum;
}

}  // namespace

std::vector<models::Part> stages_of(const models::ModelConfig& config, std::int64_t vocabulary, int stages) {
  if (stages > config.layers)
    throw Error(ErrorCode::kUsage, "a pipeline's stages must not outnumber model.layers, got ", stages, " stages for ",
                config.layers, config.layers == 1 ? " layer" : " layers");
  if (stages == 1) return {{}};
  const auto model = models::build_model(config, vocabulary);
  const double layer = multiplied(model->parameters(), true) / static_cast<double>(config.layers);
  const double head = multiplied(model->parameters(), false) / layer;
  // The least number of layers for the last stage that leaves none of the others with more work.
  std::int64_t last = 1;
  const auto most_of_others = [&] { return (config.layers - last + stages - 2) / (stages - 1); };
  while (config.layers - last > stages - 1 &&
         static_cast<double>(most_of_others()) > static_cast<double>(last + 1) + head)
    ++last;
  // What does not divide goes to the first stages.
  std::vector<models::Part> parts;
  std::int64_t begin = 0;
  for (int stage = 0; stage < stages; ++stage) {
    const std::int64_t left = config.layers - last - begin, others = stages - 1 - stage;
    const std::int64_t count = others == 0 ? last : (left + others - 1) / others;
    parts.push_back({begin, begin + count});
    begin += count;
  }
  return parts;
}

std::vector<std::size_t> Placement::at(int rank) const {
  std::vector<std::size_t> segments;
  for (std::size_t i = 0; i < home.size(); ++i)
    if (home[i] == rank) segments.push_back(i);
  return segments;
}

Placement all_here(const RowLayout& layout) {
  return {std::vector<int>(layout.segments.size(), 0), std::vector<int>(layout.segments.size(), -1)};
}

Placement placement_of(const RowLayout& layout, const models::ModelConfig& config, std::int64_t vocabulary,
                       const std::vector<models::Part>& stages, int ranks) {
  if (ranks == 1) return all_here(layout);
  Placement placement{std::vector<int>(layout.segments.size(), -1), std::vector<int>(layout.segments.size(), -1)};
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    const int rank = static_cast<int>(stage) % ranks;
    const auto part = models::build_model(config, vocabulary, stages[stage]);
    for (const models::Parameter& parameter : part->parameters().all()) {
      if (parameter.frozen) continue;
      const auto found =
          std::ranges::find(layout.segments, models::group_of(parameter.name), &RowLayout::Segment::name);
      if (found == layout.segments.end())
        throw Error(ErrorCode::kBug, "a part of the model has ", parameter.name, ", which the model has not");
      const auto segment = static_cast<std::size_t>(found - layout.segments.begin());
      if (placement.home[segment] < 0)
        placement.home[segment] = rank;
      else if (placement.home[segment] != rank)
        placement.reader[segment] = rank;
    }
  }
  return placement;
}

std::vector<std::vector<Unit>> units_of(const RowLayout& layout, const Placement& placement, const MeshShape& shape) {
  std::vector<std::vector<Unit>> units(static_cast<std::size_t>(shape.ranks()));
  for (const Bucket& bucket : buckets_of(layout, shape.size(Axis::kData)))
    if (bucket.begin < layout.size)
      for (const Unit& unit : bucket.units) {
        const int stage = shape.neighbour(0, Axis::kPipeline, placement.home[bucket.segment]);
        units[static_cast<std::size_t>(shape.neighbour(stage, Axis::kData, unit.owner))].push_back(unit);
      }
  return units;
}

}  // namespace trireme::train
