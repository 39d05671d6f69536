#include "train/config/train_config.h"

#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme::train {
namespace {

void require(bool ok, const auto&... message) {
  if (!ok) throw Error(ErrorCode::kUsage, message...);
}

}  // namespace

void validate(const TrainConfig& c) {
  require(!c.data.path.empty(), "data.path is required: the corpus directory that trireme-data encode made");
  require(is_utf8(c.data.path), "data.path must be UTF-8: config.yaml cannot hold other names");
  require(c.data.global_batch % c.data.micro_batch == 0,
          "data.global-batch must be a multiple of data.micro-batch, got ", c.data.global_batch, " and ",
          c.data.micro_batch);
  require(c.data.sequence_length <= c.model.context, "data.sequence-length must not exceed model.context, got ",
          c.data.sequence_length, " and ", c.model.context);
  require(c.schedule.warmup_steps <= c.steps, "schedule.warmup-steps must not exceed steps, got ",
          c.schedule.warmup_steps, " and ", c.steps);
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
  require(c.checkpoint.keep_best == 0 || c.eval.every_steps > 0,
          "checkpoint.keep-best needs evaluations and must be 0 for eval.every-steps 0, got ", c.checkpoint.keep_best);
  require(c.device == "cpu", "device ", c.device, " is not available yet; allowed: cpu");
  require(c.precision.compute != "fp16", "precision.compute fp16 is not available yet; allowed: fp32, bf16, fp64");
  const auto only_one = [](const char* key, std::int64_t value, std::int64_t only) {
    require(value == only, "parallel.", key, " ", value, " is not available yet; allowed: ", only);
  };
  only_one("tensor", c.parallel.tensor, 1);
  only_one("pipeline", c.parallel.pipeline, 1);
  only_one("context", c.parallel.context, 1);
  only_one("expert", c.parallel.expert, 1);
  only_one("shard", c.parallel.shard, 0);
}

bool may_change_on_resume(std::string_view key) {
  for (const std::string_view prefix : {"parallel.", "log.", "checkpoint.", "eval.", "recovery."})
    if (key.starts_with(prefix)) return true;
  // data.path may move: the content is checked by its hash instead.
  return key == "steps" || key == "threads" || key == "recompute" || key == "data.path";
}

}  // namespace trireme::train
