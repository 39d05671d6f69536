#include "train/loop/reference.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/hash.h"

namespace trireme::train {
namespace {

using Json = nlohmann::ordered_json;

static_assert(std::endian::native == std::endian::little, "numbers of RUN/reference are little-endian");

struct Known {
  std::int64_t number;
  double margin;
};

}  // namespace

std::int64_t Reference::measure(Stages& stages, const data::Corpus& corpus, Stages::Size size,
                                const std::function<std::int64_t()>& stop) {
  if (margins_.contains(corpus.content_hash())) return 0;
  Communicator& world = stages.world();
  const MeshShape& shape = stages.shape();
  const data::EvaluationBatches batches(corpus, size.length, size.sequences);
  const std::int64_t ranks = shape.size(Axis::kData), rank = shape.coordinate(Axis::kData, world.rank());
  const std::int64_t each = (batches.count() + ranks - 1) / ranks;
  const std::int64_t most = std::min<std::int64_t>(each, 2 * shape.size(Axis::kPipeline) - 1);
  std::vector<Known> known;
  for (std::int64_t begin = 0; begin < each; begin += most) {
    const std::int64_t count = std::min(most, each - begin);
    std::vector<MicroBatch> some;
    for (std::int64_t i = 0; i < count; ++i)
      if (const std::int64_t number = rank * each + begin + i; number < batches.count())
        some.push_back(std::make_shared<data::MicroBatch>(batches.batch(number)));
    std::int64_t stopped = stop();
    const auto found = stages.margins(some, count, size, [&] { return stopped != 0; });
    world.all_max(&stopped, 1);
    if (stopped) return stopped;
    for (std::size_t i = 0; i < found.size(); ++i)
      for (std::size_t k = 0; k < found[i].size(); ++k) known.push_back({some[i]->preferences[k].number, found[i][k]});
  }
  std::vector<double> margins(static_cast<std::size_t>(corpus.documents() / 2));
  const std::string mine(reinterpret_cast<const char*>(known.data()), known.size() * sizeof(Known));
  for (const std::string& theirs : world.all_gather_text(mine))
    for (std::size_t at = 0; at + sizeof(Known) <= theirs.size(); at += sizeof(Known)) {
      Known one;
      std::memcpy(&one, theirs.data() + at, sizeof one);
      margins.at(static_cast<std::size_t>(one.number)) = one.margin;
    }
  margins_[corpus.content_hash()] = std::move(margins);
  return 0;
}

const std::vector<double>& Reference::of(const data::Corpus& corpus) const {
  const auto found = margins_.find(corpus.content_hash());
  if (found == margins_.end() || static_cast<std::int64_t>(found->second.size()) != corpus.documents() / 2)
    throw Error(ErrorCode::kBadInput,
                "the run never asked the model that it began with about these preferences: corpora of preferences, "
                "those of eval.sets too, are known before the first step and stay");
  return found->second;
}

std::string Reference::to_bytes() const {
  std::string numbers;
  Json head = {{"format", "trireme-reference"}, {"version", 1}, {"checksum", ""}, {"corpora", Json::array()}};
  for (const auto& [hash, margins] : margins_) {
    head["corpora"].push_back({{"content-hash", hash}, {"preferences", margins.size()}});
    numbers.append(reinterpret_cast<const char*>(margins.data()), margins.size() * sizeof(double));
  }
  head["checksum"] = xxh3_128_hex(numbers);
  return head.dump() + "\n" + numbers;
}

Reference Reference::from_bytes(std::string_view bytes, const std::string& origin) {
  const auto require = [&](bool holds, const char* what) {
    if (!holds) throw Error(ErrorCode::kCorrupt, origin, " is damaged: ", what);
  };
  const std::size_t end = bytes.find('\n');
  require(end != std::string_view::npos, "it has no first line");
  const Json head = Json::parse(bytes.substr(0, end), nullptr, /*allow_exceptions=*/false);
  require(head.is_object() && head.value("format", "") == "trireme-reference" && head.contains("version") &&
              head["version"] == 1 && head.contains("checksum") && head.contains("corpora") &&
              head["corpora"].is_array(),
          "its first line is none of this format");
  std::string_view numbers = bytes.substr(end + 1);
  require(head["checksum"] == xxh3_128_hex(numbers), "its checksum does not match its content");
  Reference reference;
  for (const Json& corpus : head["corpora"]) {
    require(corpus.is_object() && corpus.contains("content-hash") && corpus["content-hash"].is_string() &&
                corpus.contains("preferences") && corpus["preferences"].is_number_unsigned(),
            "a corpus has no name or no count");
    const auto count = corpus["preferences"].get<std::uint64_t>();
    require(count <= numbers.size() / sizeof(double), "it ends early");
    std::vector<double> margins(count);
    std::memcpy(margins.data(), numbers.data(), count * sizeof(double));
    numbers.remove_prefix(count * sizeof(double));
    reference.margins_[corpus["content-hash"].get<std::string>()] = std::move(margins);
  }
  require(numbers.empty(), "it has more than it says");
  return reference;
}

void compare(data::MicroBatch& batch, const std::function<const std::vector<double>&(std::int64_t corpus)>& of) {
  for (data::MicroBatch::Preference& preference : batch.preferences)
    preference.reference = of(preference.corpus).at(static_cast<std::size_t>(preference.number));
}

}  // namespace trireme::train
