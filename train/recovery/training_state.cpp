#include "train/recovery/training_state.h"

#include <ATen/Version.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/base/build_info.h"
#include "core/base/error.h"
#include "core/config/json.h"

namespace trireme::train {
namespace {

using nlohmann::json;

// The rows that a checkpoint holds, each under names of its own, and where a rank keeps its part of them.
struct Row {
  const char* prefix;
  std::function<std::byte*(const Stretch&)> place;
};
std::vector<Row> rows_of(FlatParameters& parameters, AdamW& optimizer) {
  const auto state = [](at::Tensor& row) {
    return [&row](const Stretch& stretch) {
      return static_cast<std::byte*>(row.mutable_data_ptr()) +
             stretch.at * static_cast<std::int64_t>(row.element_size());
    };
  };
  std::vector<Row> rows = {
      {"weights/",
       [&parameters](const Stretch& stretch) { return static_cast<std::byte*>(parameters.masters(stretch)); }},
      {"optimizer/first-moment/", state(optimizer.first_moment())},
      {"optimizer/second-moment/", state(optimizer.second_moment())}};
  if (optimizer.average().defined()) rows.push_back({models::kAveragePrefix, state(optimizer.average())});
  return rows;
}

models::StoredType stored_type(const FlatParameters& parameters) {
  return parameters.master_type() == at::kDouble ? models::StoredType::kFloat64 : models::StoredType::kFloat32;
}

// Memory for a moment: that of tensors is kept for the next one.
std::unique_ptr<std::byte[]> new_bytes(std::int64_t size) {
  return std::make_unique_for_overwrite<std::byte[]>(static_cast<std::size_t>(size));
}

// What a stretch of the row holds of an entry.
struct Overlap {
  std::int64_t in_stretch, in_entry, count;
};
std::optional<Overlap> overlap(const FlatParameters::Entry& entry, std::int64_t begin, std::int64_t count) {
  const std::int64_t first = std::max(entry.begin, begin), last = std::min(entry.begin + entry.count, begin + count);
  if (first >= last) return std::nullopt;
  return Overlap{first - begin, first - entry.begin, last - first};
}

// Brings the tensors of rows, of which each rank has a part, to those that write them.
class Gathering {
 public:
  Gathering(const Mesh& mesh, FlatParameters& parameters) : mesh_(mesh), parameters_(parameters) {
    if (parameters.is_shared_out()) buckets_ = buckets_of(parameters.layout(), parameters.groups().ranks);
  }

  ~Gathering() {
    // An error passes, and this process is about to end: until it has, messages may land in these.
    if (!under_way_.empty()) {
      new auto(std::move(tensors_));
      new auto(std::move(under_way_));
    }
  }
  Gathering(const Gathering&) = delete;
  Gathering& operator=(const Gathering&) = delete;

  // Called by all ranks in the same order. Returns the whole tensor where this rank is the writer, else null; it is
  // whole after wait().
  const std::byte* whole(const FlatParameters::Entry& entry, const Row& row, int writer) {
    const auto item = static_cast<std::int64_t>(at::elementSize(parameters_.master_type()));
    const int me = mesh_.world().rank();
    const std::size_t segment = parameters_.layout().segment_at(entry.begin);
    const int home = parameters_.placement().home[segment];
    if (!parameters_.is_shared_out() && mesh_.shape().coordinate(Axis::kPipeline, writer) == home) {
      if (writer != me) return nullptr;
      for (const Stretch& stretch : parameters_.own())
        if (const auto part = overlap(entry, stretch.begin, stretch.count))
          return row.place(stretch) + part->in_stretch * item;  // a segment lies in one piece
    }
    std::byte* out = nullptr;
    if (writer == me) {
      out = tensors_.emplace_back(new_bytes(entry.count * item)).get();
      const auto receive = [&](const Overlap& part, int from) {
        if (from != me)
          under_way_.push_back(mesh_.world().start_receive(out + part.in_entry * item,
                                                           static_cast<std::size_t>(part.count * item), from, kTag));
      };
      if (!parameters_.is_shared_out()) receive({0, 0, entry.count}, source(writer, home));
      for (const Bucket& bucket : buckets_)
        for (const Unit& unit : bucket.units)
          if (const auto part = overlap(entry, unit.begin, unit.end - unit.begin))
            receive(*part, keeper(unit, writer, home));
    }
    const Groups& groups = parameters_.groups();
    const auto group_of = [&](int rank) { return mesh_.shape().coordinate(Axis::kData, rank) / groups.size; };
    if (parameters_.is_here(segment) &&
        (parameters_.is_shared_out() ? group_of(writer) == group_of(me) : source(writer, home) == me))
      for (const Stretch& stretch : parameters_.own())
        if (const auto part = overlap(entry, stretch.begin, stretch.count)) {
          const std::byte* mine = row.place(stretch) + part->in_stretch * item;
          if (out)
            std::copy_n(mine, part->count * item, out + part->in_entry * item);
          else
            under_way_.push_back(
                mesh_.world().start_send(mine, static_cast<std::size_t>(part->count * item), writer, kTag));
        }
    return out;
  }

  void wait() {
    for (const auto& transfer : under_way_) transfer->wait();
    under_way_.clear();
  }

 private:
  // Where a stage is, beside the writer.
  int source(int writer, int home) const { return mesh_.shape().neighbour(writer, Axis::kPipeline, home); }

  // The rank of the writer's group that keeps a unit.
  int keeper(const Unit& unit, int writer, int home) const {
    const int place = mesh_.shape().coordinate(Axis::kData, writer);
    return mesh_.shape().neighbour(source(writer, home), Axis::kData, parameters_.groups().keeper(unit, place));
  }

  static constexpr int kTag = 0;
  const Mesh& mesh_;
  FlatParameters& parameters_;
  std::vector<Bucket> buckets_;
  std::vector<std::unique_ptr<std::byte[]>> tensors_;
  std::vector<std::unique_ptr<Transfer>> under_way_;
};

json optional_number(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

std::optional<double> number_or_none(const json& object, const char* key) {
  const json& value = object.at(key);
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

}  // namespace

std::string to_json(const TrainingState& state, const TrainConfig& config) {
  TrainConfig copy = config;
  json object{{"step", state.step},
              {"tokens", state.tokens},
              {"samples-hash", state.samples_hash},
              {"loss", state.loss},
              {"eval-loss", optional_number(state.eval_loss)},
              {"eval-bits-per-byte", optional_number(state.eval_bits_per_byte)},
              {"eval-step", state.eval_step ? json(*state.eval_step) : json(nullptr)},
              {"tokens-per-second", state.tokens_per_second},
              {"seconds-to-first-step", state.seconds_to_first_step},
              {"peak-memory-bytes", state.peak_memory_bytes},
              {"planned-steps", config.steps},
              {"corpus-hash", state.corpus_hash},
              {"fingerprint", state.fingerprint},
              {"config", trireme::to_json(fields_of(copy))}};
  if (state.unfinished) object["unfinished"] = to_json(*state.unfinished);
  return object.dump(-1, ' ', false, json::error_handler_t::replace);  // paths may hold any bytes
}

TrainingState state_from_json(const std::string& text, const std::string& origin) {
  try {
    const json object = json::parse(text);
    TrainingState state;
    object.at("step").get_to(state.step);
    object.at("tokens").get_to(state.tokens);
    object.at("samples-hash").get_to(state.samples_hash);
    object.at("loss").get_to(state.loss);
    state.eval_loss = number_or_none(object, "eval-loss");
    state.eval_bits_per_byte = number_or_none(object, "eval-bits-per-byte");
    object.at("tokens-per-second").get_to(state.tokens_per_second);
    object.at("seconds-to-first-step").get_to(state.seconds_to_first_step);
    object.at("peak-memory-bytes").get_to(state.peak_memory_bytes);
    if (const auto found = object.find("eval-step"); found != object.end() && !found->is_null())
      state.eval_step = found->get<std::int64_t>();
    if (const auto found = object.find("unfinished"); found != object.end())
      state.unfinished = record_from_json(*found);
    if (const auto found = object.find("planned-steps"); found != object.end())
      state.planned_steps = found->get<std::int64_t>();
    object.at("corpus-hash").get_to(state.corpus_hash);
    object.at("fingerprint").get_to(state.fingerprint);
    return state;
  } catch (const json::exception& error) {
    throw Error(ErrorCode::kCorrupt, "the training state of ", origin, " cannot be read: ", error.what());
  }
}

std::string machine_fingerprint(std::int64_t threads) {
  return "threads=" + std::to_string(threads) + " cpu=" + at::get_cpu_capability() + " trireme=" + version_text() +
         " " + at::get_mkl_version() + " " + at::get_mkldnn_version();
}

std::string save_checkpoint(const Mesh& mesh, const std::filesystem::path& run, const TrainingState& state,
                            const TrainConfig& config, const std::string& model_json, const std::string& tokenizer_json,
                            FlatParameters& parameters, AdamW& optimizer) {
  Communicator& world = mesh.world();
  models::CheckpointContent content;
  content.model_json = model_json;
  content.training_json = to_json(state, config);
  content.tokenizer_json = tokenizer_json;

  // Tensors are dealt out so that each rank writes about the same number of bytes: rank r takes what ends in its
  // stretch.
  std::int64_t total = 0, before = 0;
  for (const auto& entry : parameters.entries())
    if (entry.tied_begin < 0) total += entry.count;
  Gathering gathering(mesh, parameters);
  for (const auto& entry : parameters.entries()) {
    if (entry.tied_begin >= 0) continue;
    const auto writer = static_cast<int>((before + entry.count / 2) * world.size() / total);
    before += entry.count;
    for (const Row& row : rows_of(parameters, optimizer))
      if (const std::byte* whole = gathering.whole(entry, row, writer))
        content.slices.push_back({row.prefix + entry.parameter->name, stored_type(parameters), entry.parameter->shape,
                                  std::vector<std::int64_t>(entry.parameter->shape.size(), 0), entry.parameter->shape,
                                  whole});
  }
  gathering.wait();
  std::string parts;
  for (const models::TensorSlice& slice : content.slices)
    if (slice.name.starts_with(models::kWeightsPrefix))
      parts +=
          slice.name + " " + models::WeightsHash::of_tensor(slice.name, slice.type, slice.shape, slice.data) + "\n";
  models::WeightsHash hash;
  for (const std::string& text : world.all_gather_text(parts)) {
    std::istringstream lines(text);
    for (std::string name, part; lines >> name >> part;) hash.add(name, part);
  }
  content.weights_hash = hash.hex();
  models::write_checkpoint(world, models::checkpoint_path(run, state.step), content);
  return content.weights_hash;
}

std::int64_t checkpoint_bytes(FlatParameters& parameters, AdamW& optimizer) {
  return static_cast<std::int64_t>(rows_of(parameters, optimizer).size()) * parameters.size() *
         static_cast<std::int64_t>(at::elementSize(parameters.master_type()));
}

void load_tensors(const models::Checkpoint& checkpoint, FlatParameters& parameters, AdamW& optimizer) {
  const auto item = static_cast<std::int64_t>(at::elementSize(parameters.master_type()));
  std::size_t expected = 0;
  for (const auto& entry : parameters.entries()) {
    if (entry.tied_begin >= 0) continue;
    for (const Row& row : rows_of(parameters, optimizer)) {
      const std::string name = row.prefix + entry.parameter->name;
      for (const auto& tensor : checkpoint.tensors())
        if (tensor.name == name && (tensor.shape != entry.parameter->shape || tensor.type != stored_type(parameters)))
          throw Error(ErrorCode::kBadInput, checkpoint.directory().string(), " holds another model: tensor ", name,
                      " has another shape or type");
      ++expected;
      std::unique_ptr<std::byte[]> whole;
      for (const Stretch& stretch : parameters.own()) {
        const auto part = overlap(entry, stretch.begin, stretch.count);
        if (!part) continue;
        std::byte* mine = row.place(stretch) + part->in_stretch * item;
        if (part->count == entry.count) {
          checkpoint.read(name, mine);
          continue;
        }
        if (!whole) {
          whole = new_bytes(entry.count * item);
          checkpoint.read(name, whole.get());
        }
        std::copy_n(whole.get() + part->in_entry * item, part->count * item, mine);
      }
    }
  }
  if (checkpoint.tensors().size() != expected)
    throw Error(ErrorCode::kBadInput, checkpoint.directory().string(),
                " holds another model: ", checkpoint.tensors().size(), " tensors, ", expected, " are due");
}

}  // namespace trireme::train
