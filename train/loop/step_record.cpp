#include "train/loop/step_record.h"

#include <nlohmann/json.hpp>

namespace trireme::train {
namespace {

using nlohmann::json;

constexpr const char *kLoss = "loss", *kBitsPerByte = "bits_per_byte", *kEmaLoss = "ema_loss",
                     *kEmaBitsPerByte = "ema_bits_per_byte", *kAccuracy = "accuracy", *kEmaAccuracy = "ema_accuracy";

std::optional<double> number_of(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (found == object.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

}  // namespace

json to_json(const std::vector<SetLoss>& sets) {
  json object = json::object();
  for (const SetLoss& set : sets) {
    json& one = object[set.name] = {{kLoss, set.loss}};
    const auto put = [&](const char* name, const std::optional<double>& value) {
      if (value) one[name] = *value;
    };
    put(kBitsPerByte, set.bits_per_byte);
    put(kAccuracy, set.accuracy);
    put(kEmaLoss, set.ema_loss);
    put(kEmaBitsPerByte, set.ema_bits_per_byte);
    put(kEmaAccuracy, set.ema_accuracy);
  }
  return object;
}

std::vector<SetLoss> sets_of_event(const json& event) {
  std::vector<SetLoss> sets;
  const auto add = [&](const std::string& name, std::optional<double> loss, std::optional<double> bits,
                       const json& set) {
    if (loss)
      sets.push_back({name, *loss, bits, number_of(set, kEmaLoss), number_of(set, kEmaBitsPerByte),
                      number_of(set, kAccuracy), number_of(set, kEmaAccuracy)});
  };
  const auto found = event.find(names::kEval);
  if (found == event.end())
    add("validation", number_of(event, names::kEvalLoss), number_of(event, names::kEvalBitsPerByte), json());
  else if (found->is_object())
    for (const auto& [name, set] : found->items()) add(name, number_of(set, kLoss), number_of(set, kBitsPerByte), set);
  return sets;
}

json to_json(const StepRecord& r) {
  json record = {{names::kStep, r.step}, {names::kSamplesHash, r.samples_hash}};
  for (const Metric& metric : kMetrics)
    std::visit(
        [&](const auto member) {
          if (!metric.when_not_zero || r.*member != 0) record[metric.name] = r.*member;
        },
        metric.member);
  if (!r.eval.empty()) {
    record[names::kEvalLoss] = r.eval.front().loss;
    record[names::kEval] = to_json(r.eval);
  }
  return record;
}

StepRecord record_from_json(const json& record) {
  StepRecord r;
  record.at(names::kStep).get_to(r.step);
  record.at(names::kSamplesHash).get_to(r.samples_hash);
  for (const Metric& metric : kMetrics)
    if (metric.is_in_all || record.contains(metric.name))
      std::visit([&](const auto member) { record.at(metric.name).get_to(r.*member); }, metric.member);
  return r;
}

}  // namespace trireme::train
