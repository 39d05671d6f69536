#include "train/config/train_config.h"

#include <charconv>
#include <filesystem>
#include <sstream>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme::train {
namespace {

void require(bool ok, const auto&... message) {
  if (!ok) throw Error(ErrorCode::kUsage, message...);
}

void require_utf8(TrainConfig config) {
  for (const FieldRef& field : fields_of(config))
    require(is_utf8(field_text(field)), field.key, " must be UTF-8: config.yaml cannot hold other text");
}

// The same for "a", "./a" and "a/".
std::filesystem::path plain(const std::string& directory) {
  return (std::filesystem::path(directory) / "").lexically_normal();
}

}  // namespace

std::vector<NamedCorpus> EvaluationConfig::named_sets() const {
  std::vector<NamedCorpus> found;
  if (sets.empty()) return found;
  std::istringstream items(sets + ",");  // getline would not tell of an empty last item
  for (std::string item; std::getline(items, item, ',');) {
    const std::size_t equals = item.find('=');
    const std::string name = item.substr(0, equals);
    require(equals != std::string::npos && !name.empty() && equals + 1 < item.size(),
            "eval.sets must be NAME=DIRECTORY,NAME=DIRECTORY,..., got '", item, "' in '", sets, "'");
    require(name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
                std::string::npos,
            "eval.sets: a name consists of letters, digits, '.', '_' and '-', got '", name, "'");
    require(name != kValidationSet, "eval.sets: ", kValidationSet, " is the name of the corpus's own split");
    for (const NamedCorpus& other : found) require(other.name != name, "eval.sets names ", name, " twice");
    found.push_back({name, item.substr(equals + 1)});
  }
  return found;
}

std::vector<CorpusShare> DataConfig::corpora() const {
  require(!path.empty(), "data.path is required: the corpus directory that trireme-data encode made");
  if (path.find(',') == std::string::npos) return {{path}};
  std::vector<CorpusShare> corpora;
  std::istringstream items(path + ",");  // getline would not tell of an empty last item
  for (std::string item; std::getline(items, item, ',');) {
    const std::size_t equals = item.rfind('=');  // "year=2024=0.5" is a directory too
    require(
        equals != std::string::npos && equals > 0, "data.path: '", item, "' of '", path,
        "' must be DIRECTORY=WEIGHT, as corpora/a=0.7,corpora/b=0.3 (a directory whose name holds a comma cannot be "
        "given)");
    CorpusShare corpus{item.substr(0, equals)};
    // Bounds for the ratio of two weights, far beyond what a run can notice.
    set_field({"weight of " + corpus.path, "", &corpus.weight, Range(1e-6, 1e6)}, {item.substr(equals + 1)},
              "data.path");
    for (const CorpusShare& other : corpora)
      require(plain(other.path) != plain(corpus.path), "data.path names ", corpus.path,
              " twice; name each corpus once, with all of its weight");
    corpora.push_back(std::move(corpus));
  }
  return corpora;
}

std::optional<StepRange> LogConfig::traced_steps() const {
  if (trace == "none") return std::nullopt;
  StepRange range;
  const char* const end = trace.data() + trace.size();
  std::from_chars_result read = std::from_chars(trace.data(), end, range.first);
  range.last = range.first;
  if (read.ec == std::errc{} && read.ptr != end && *read.ptr == '-')
    read = std::from_chars(read.ptr + 1, end, range.last);
  require(read.ec == std::errc{} && read.ptr == end && range.first >= 1 && range.last >= range.first,
          "log.trace must be none, a step, or two as in 20-22, got '", trace, "'");
  return range;
}

void validate(const TrainConfig& c) {
  if (const auto traced = c.log.traced_steps())
    require(traced->first <= c.steps, "log.trace must begin at one of the ", c.steps, " steps, got ", c.log.trace);
  require_utf8(c);
  c.data.corpora();
  require(c.data.global_batch % c.data.micro_batch == 0,
          "data.global-batch must be a multiple of data.micro-batch, got ", c.data.global_batch, " and ",
          c.data.micro_batch);
  require(c.data.sequence_length <= c.model.context, "data.sequence-length must not exceed model.context, got ",
          c.data.sequence_length, " and ", c.model.context);
  require(c.schedule.warmup_steps <= c.steps, "schedule.warmup-steps must not exceed steps, got ",
          c.schedule.warmup_steps, " and ", c.steps);
  require(c.model.lora.rank == 0 || !c.finetune.from.empty(),
          "model.lora.rank needs finetune.from: adapters change a model that was trained before; got rank ",
          c.model.lora.rank, " without one");
  require(!c.finetune.from.empty() || (c.finetune.step == FinetuneConfig{}.step &&
                                       c.finetune.weights == FinetuneConfig{}.weights && c.finetune.base.empty()),
          "finetune.step, finetune.weights and finetune.base are of finetune.from, got ", c.finetune.step, ", ",
          c.finetune.weights, " and '", c.finetune.base, "' without it");
  require(c.finetune.penalty == 0 || !c.finetune.from.empty(),
          "finetune.penalty needs finetune.from, whose weights it keeps near; got ", c.finetune.penalty, " without it");
  require(c.finetune.penalty == 0 || c.model.lora.rank == 0,
          "finetune.penalty has no meaning with model.lora.rank above 0: the weights themselves stay as they are; got ",
          c.finetune.penalty, " and ", c.model.lora.rank);
  require(c.finetune.penalty > 0 ||
              (c.finetune.importance.empty() && c.finetune.importance_steps == FinetuneConfig{}.importance_steps),
          "finetune.importance and finetune.importance-steps are of finetune.penalty, got '", c.finetune.importance,
          "' and ", c.finetune.importance_steps, " without it");
  if (c.model.classifies()) {
    require(c.data.token_dropout == 0 && c.data.fim_rate == 0,
            "data.token-dropout and data.fim-rate change text that has no labels and must be 0 for model.head ",
            c.model.head, ", got ", c.data.token_dropout, " and ", c.data.fim_rate);
    require(c.eval.prompts.empty(), "eval.prompts is for model.head language, got ", c.eval.prompts.size(), " for ",
            c.model.head);
  }
  if (c.schedule.name == "wsd") {
    const std::int64_t decay = c.schedule.decay_steps_or_default(c.steps);
    require(c.schedule.warmup_steps + decay <= c.steps,
            "schedule.warmup-steps and schedule.decay-steps together must not exceed steps, got ",
            c.schedule.warmup_steps, " and ", decay, " of ", c.steps);
  } else {
    require(c.schedule.decay_steps == 0, "schedule.decay-steps is for schedule.name wsd and must be 0 for ",
            c.schedule.name, ", got ", c.schedule.decay_steps);
    require(c.schedule.decay_shape == ScheduleConfig{}.decay_shape,
            "schedule.decay-shape is for schedule.name wsd, got ", c.schedule.decay_shape, " for ", c.schedule.name);
  }
  require(c.eval.named_sets().empty() || c.eval.every_steps > 0,
          "eval.sets needs evaluations and must be empty for eval.every-steps 0, got ", c.eval.sets);
  require(c.checkpoint.keep_best == 0 || c.eval.every_steps > 0,
          "checkpoint.keep-best needs evaluations and must be 0 for eval.every-steps 0, got ", c.checkpoint.keep_best);
  require(c.device == "cpu", "device ", c.device, " is not available yet; allowed: cpu");
  require(c.precision.compute != "fp16", "precision.compute fp16 is not available yet; allowed: fp32, bf16, fp64");
  const auto only_one = [](const char* key, std::int64_t value, std::int64_t only) {
    require(value == only, "parallel.", key, " ", value, " is not available yet; allowed: ", only);
  };
  only_one("tensor", c.parallel.tensor, 1);
  only_one("context", c.parallel.context, 1);
  only_one("expert", c.parallel.expert, 1);
  require(c.parallel.pipeline > 1 || c.parallel.pipeline_chunks == 1,
          "parallel.pipeline-chunks needs parallel.pipeline above 1 and must be 1 without, got ",
          c.parallel.pipeline_chunks);
  require(c.parallel.pipeline > 1 || c.parallel.pipeline_order == ParallelConfig{}.pipeline_order,
          "parallel.pipeline-order needs parallel.pipeline above 1, got ", c.parallel.pipeline_order);
  const std::int64_t stages = c.parallel.pipeline * c.parallel.pipeline_chunks;
  require(stages <= c.model.layers,
          "parallel.pipeline times parallel.pipeline-chunks must not exceed model.layers, got ", c.parallel.pipeline,
          " x ", c.parallel.pipeline_chunks, " stages for ", c.model.layers,
          c.model.layers == 1 ? " layer" : " layers");
  require(c.parallel.shard > 0 || c.parallel.shard_group <= 1,
          "parallel.shard-group is for parallel.shard 1 to 3 and must be 0 for 0, got ", c.parallel.shard_group);
}

bool may_change_on_resume(std::string_view key) {
  for (const std::string_view prefix : {"parallel.", "log.", "checkpoint.", "eval.", "recovery."})
    if (key.starts_with(prefix)) return true;
  // data.path may move: content and weights are checked by hash instead.
  return key == "steps" || key == "threads" || key == "recompute" || key == "data.path";
}

}  // namespace trireme::train
