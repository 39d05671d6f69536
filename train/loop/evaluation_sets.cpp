#include "train/loop/evaluation_sets.h"

#include <cmath>
#include <cstdio>

#include "core/base/error.h"
#include "core/base/log.h"

namespace trireme::train {

EvaluationSets::EvaluationSets(const TrainConfig& config, const data::TrainingStream& training,
                               const data::LabelPlace& label_place, bool speaks) {
  if (config.eval.every_steps == 0) return;
  const EvaluationPlan plan{config.data.sequence_length, config.data.micro_batch, config.eval.batches, label_place};
  try {
    sets_.emplace_back(kValidationSet, data::Corpus::open(config.data.corpora()[0].path, data::Split::kValidation),
                       plan);
  } catch (const Error& error) {
    // A corpus without a validation split (or one shorter than a sequence) can be trained on; a damaged one cannot.
    if (error.code() != ErrorCode::kNotFound && error.code() != ErrorCode::kBadInput) throw;
    if (speaks) log_warning(std::string("no evaluation on a validation split: ") + error.what());
  }
  for (const NamedCorpus& set : config.eval.named_sets()) {
    try {
      sets_.emplace_back(set.name, open_evaluation_corpus(set.path, training), plan);
    } catch (const Error& error) {
      throw Error(error.code(), "eval.sets, ", set.name, ": ", error.what());
    }
  }
  if (sets_.empty() && config.checkpoint.keep_best > 0)
    throw Error(ErrorCode::kUsage, "checkpoint.keep-best needs evaluations, got ", config.checkpoint.keep_best,
                ", but ", config.data.corpora()[0].path,
                " has no validation split of a sequence's length and eval.sets is empty");
}

std::string EvaluationSets::contents() const {
  std::string lines;
  for (const Evaluation& set : sets_) lines += "evaluation on " + set.name() + ": " + set.content_hash() + "\n";
  return lines;
}

EvaluationSets::Outcome EvaluationSets::run(Stages& stages, AdamW& optimizer,
                                            const std::function<std::int64_t()>& stop) const {
  Outcome outcome;
  for (const Evaluation& set : sets_) {
    const EvaluationResult result = set.run(stages, stop);
    if (result.stopped) return {result.stopped, {}};
    outcome.sets.push_back({set.name(), result.loss, result.bits_per_byte, {}, {}, result.accuracy, {}});
  }
  if (!optimizer.average().defined()) return outcome;
  const AdamW::AverageInPlace in_place(optimizer);
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    const EvaluationResult result = sets_[i].run(stages, stop);
    if (result.stopped) return {result.stopped, {}};
    outcome.sets[i].ema_loss = result.loss;
    outcome.sets[i].ema_bits_per_byte = result.bits_per_byte;
    outcome.sets[i].ema_accuracy = result.accuracy;
  }
  return outcome;
}

std::string loss_text(const SetLoss& set) {
  char text[120];
  if (set.accuracy)
    std::snprintf(text, sizeof text, " loss %.4f, accuracy %.2f%%", set.loss, 100 * *set.accuracy);
  else if (set.bits_per_byte)
    std::snprintf(text, sizeof text, " loss %.4f nats a token, %.4f bits a byte", set.loss, *set.bits_per_byte);
  else
    std::snprintf(text, sizeof text, " loss %.4f nats a token of answers", set.loss);
  std::string line = set.name + text;
  if (set.ema_loss && set.ema_accuracy) {
    std::snprintf(text, sizeof text, "; averaged weights %.4f and %.2f%%", *set.ema_loss, 100 * *set.ema_accuracy);
    return line + text;
  }
  if (set.ema_loss && set.ema_bits_per_byte) {
    std::snprintf(text, sizeof text, "; averaged weights %.4f and %.4f", *set.ema_loss, *set.ema_bits_per_byte);
    line += text;
  } else if (set.ema_loss) {
    std::snprintf(text, sizeof text, "; averaged weights %.4f", *set.ema_loss);
    line += text;
  }
  return line;
}

}  // namespace trireme::train
