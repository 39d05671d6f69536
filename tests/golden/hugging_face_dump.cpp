// Our side of hugging_face_oracle.py: what a model that is opened from disk says and learns. Ids go in as int64,
// tensors come out as dump.h says.
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <map>

#include "core/config/command.h"
#include "models/adapters/peft_directory.h"
#include "models/family.h"
#include "models/generate/generate.h"
#include "models/generate/kv_cache.h"
#include "models/hugging_face/hf_export.h"
#include "models/hugging_face/special_ids.h"
#include "models/load.h"
#include "models/loss.h"
#include "models/registry.h"
#include "tests/golden/dump.h"

namespace trireme {
namespace {

struct Options {
  std::string model;
  std::string precision = "fp32";
  std::string ids;
  std::vector<std::string> lengths;
  std::int64_t greedy = 0;
  bool gradients = false;
  std::string config;
  std::string out;

  static constexpr auto fields() {
    using C = Options;
    return std::tuple{Field{"model", &C::model, "to open", kRequired},
                      Field{"precision", &C::precision, "fp32, bf16, fp64", OneOf("fp32", "bf16", "fp64")},
                      Field{"ids", &C::ids, "file of token ids, one sequence behind the other", kRequired},
                      Field{"lengths", &C::lengths, "of each"},
                      Field{"greedy", &C::greedy, "tokens to go on with behind each"},
                      Field{"gradients", &C::gradients, "of the loss of the longest sequence too"},
                      Field{"config", &C::config, "file for a config.json of the model, made of ours alone"},
                      Field{"out", &C::out, "what to write", kRequired}};
  }
};

at::ScalarType type_of(const std::string& precision) {
  return precision == "fp64" ? at::kDouble : precision == "bf16" ? at::kBFloat16 : at::kFloat;
}

std::int64_t class_place(const models::Model& model, const at::Tensor& tokens) {
  return model.class_place({tokens.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(tokens.size(1))});
}

// Scores of tokens, of their labels, or of what the text is; hidden states where there is no head.
at::Tensor scores_of(models::Model& model, const at::Tensor& hidden_btc, const at::Tensor& tokens) {
  if (model.config().head == "none") return hidden_btc.flatten(0, 1);
  const bool of_text = model.config().head == "classes";
  return models::logits(model, of_text ? hidden_btc.narrow(1, class_place(model, tokens), 1) : hidden_btc)
      .flatten(0, 1);
}

// Of a text; where a model reads one and writes another, it writes the second half of it backwards.
at::Tensor hidden_of(models::Model& model, const at::Tensor& tokens) {
  if (!model.has_encoder()) return model.forward(tokens);
  const std::int64_t length = tokens.size(1);
  return model.forward(tokens.flip(1).narrow(1, 0, (length + 1) / 2), {.memory = model.encode(tokens)});
}

// An encoder's loss is that of who trains it; these stand for any. See the script.
at::Tensor loss_of(models::Model& model, const at::Tensor& tokens) {
  const std::int64_t length = tokens.size(1) - 1;
  const at::Tensor hidden = hidden_of(model, tokens.narrow(1, 0, length));
  if (model.config().head == "none")
    return scores_of(model, hidden, tokens).to(at::kDouble).pow(4).mean() +
           model.pooled(hidden)->to(at::kDouble).pow(2).mean();
  at::Tensor targets = tokens.narrow(1, 1, hidden.size(1)).clone();
  const auto labels = static_cast<std::int64_t>(model.config().labels.size());
  if (model.config().head == "labels") targets.remainder_(labels);
  if (model.config().head == "classes") {
    const std::int64_t label = targets[0][length - 1].item<std::int64_t>() % labels;
    targets.fill_(-1);
    targets[0][class_place(model, tokens.narrow(1, 0, length))] = label;
  }
  const double texts = static_cast<double>(model.config().head == "classes" ? 1 : hidden.size(1));
  return models::loss(model, hidden, targets, 1 / texts);
}

// Put together as their modules: those that are one there share what they read.
void add_adapters_gradients(Dump& dump, const models::Model& model) {
  models::ModelConfig plain = model.config();
  plain.lora = {};
  const auto base = models::build_model(plain, model.vocabulary());
  std::map<std::string, at::Tensor> gradients;
  for (const models::PeftModule& module : models::peft_modules(*base)) {
    const std::string layer = module.weight->name.substr(0, module.weight->name.rfind('.') + 1);
    for (const models::Parameter& parameter : model.parameters().all()) {
      if (!parameter.name.starts_with(layer + "lora-")) continue;
      const bool is_up = parameter.name.ends_with("up.weight");
      at::Tensor& theirs = gradients["base_model.model." + module.module + (is_up ? ".lora_B" : ".lora_A") + ".weight"];
      const at::Tensor ours = parameter.value.grad().to(at::kDouble);
      if (!theirs.defined()) theirs = at::zeros({is_up ? module.outputs : ours.size(0), ours.size(1)}, at::kDouble);
      if (!is_up) theirs += ours;
      for (std::size_t row = 0; is_up && row < module.rows.size(); ++row)
        theirs.select(0, module.rows[row]).copy_(ours.select(0, static_cast<std::int64_t>(row)));
    }
  }
  for (const auto& [name, gradient] : gradients) dump.add("gradients/" + name, gradient);
}

void add_gradients(Dump& dump, models::Model& model, const at::Tensor& tokens) {
  for (models::Parameter& parameter : model.parameters().all())
    parameter.value = parameter.value.clone().requires_grad_(!parameter.frozen);
  const at::Tensor loss = loss_of(model, tokens);
  loss.backward();
  dump.add("loss", loss);
  if (model.config().lora.rank > 0) return add_adapters_gradients(dump, model);
  // Put together as their tensors.
  std::map<std::string, at::Tensor> gradients;
  for (const models::Parameter& parameter : model.parameters().all()) {
    at::Tensor gradient = parameter.value.grad();
    if (parameter.tied_to) continue;
    for (const models::Parameter& other : model.parameters().all())
      if (other.tied_to == &parameter) gradient = gradient + other.value.grad();
    gradient = gradient.to(at::kDouble).contiguous();
    const models::HfPlace place =
        models::place_of(models::find_family(model.config().family), model.config(), parameter);
    at::Tensor& theirs = gradients[place.tensor];
    if (!theirs.defined()) theirs = at::zeros(place.shape, at::kDouble);
    models::put_rows(place, parameter, 0, parameter.shape[0], sizeof(double), gradient.const_data_ptr(),
                     theirs.mutable_data_ptr());
  }
  for (const auto& [name, gradient] : gradients) dump.add("gradients/" + name, gradient);
}

int run(const Options& options) {
  at::set_num_threads(1);
  const auto source = std::shared_ptr<const models::ModelSource>(models::open_source(options.model));
  const auto model = models::load_model(source, type_of(options.precision));
  if (!options.config.empty())
    write_file_atomically(options.config, models::hf_config_text(*source, models::StoredType::kFloat32, ""));
  std::vector<std::int64_t> lengths;
  std::int64_t total = 0;
  for (const std::string& length : options.lengths) total += lengths.emplace_back(std::stoll(length));
  std::vector<std::int64_t> ids = read_ids(options.ids, total);
  Dump dump;
  std::int64_t begin = 0, longest = 0, longest_at = 0;
  for (std::size_t i = 0; i < lengths.size(); begin += lengths[i++]) {
    const at::NoGradGuard no_grad;
    if (lengths[i] > longest) longest = lengths[i], longest_at = begin;
    const at::Tensor tokens = at::from_blob(ids.data() + begin, {1, lengths[i]}, at::kLong);
    const at::Tensor hidden = hidden_of(*model, tokens);
    dump.add("logits/" + std::to_string(i), scores_of(*model, hidden, tokens).to(at::kDouble));
    if (const auto pooled = model->pooled(hidden); pooled && model->config().head == "none")
      dump.add("logits/pooled/" + std::to_string(i), (*pooled)[0].to(at::kDouble));
    if (options.greedy == 0) continue;
    std::vector<std::int64_t> drawn;
    std::vector<std::int64_t> prompt(ids.begin() + begin, ids.begin() + begin + lengths[i]);
    const at::Tensor memory = model->has_encoder() ? model->encode(tokens) : at::Tensor();
    if (model->has_encoder()) prompt = {models::decoder_start_id(*source, model->vocabulary())};
    models::generate(
        *model, std::move(prompt), options.greedy, {.temperature = 0}, {},
        [&](std::int64_t token) {
          drawn.push_back(token);
          return true;
        },
        memory);
    dump.add("greedy/" + std::to_string(i), at::tensor(drawn, at::kLong));
  }
  if (options.gradients) add_gradients(dump, *model, at::from_blob(ids.data() + longest_at, {1, longest}, at::kLong));
  dump.write(options.out);
  return kExitDone;
}

}  // namespace
}  // namespace trireme

int main(int argc, char** argv) {
  using namespace trireme;
  Options options;
  return run_program({"hugging_face_dump",
                      "what a model says, for comparison",
                      {{.name = "",
                        .summary = "Writes logits, greedy continuations and gradients.",
                        .options = fields_of(options),
                        .run = [&](const Assignments&) { return run(options); }}},
                      ""},
                     argc, argv);
}
