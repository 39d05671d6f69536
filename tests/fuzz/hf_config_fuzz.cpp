// config.json of a Hugging Face directory: what is accepted describes a model whose sizes fit together, and written in
// our words and in theirs it is read as the same.
#include <string>

#include "models/family.h"
#include "models/hugging_face/hf_config.h"
#include "models/hugging_face/hf_directory.h"
#include "models/registry.h"
#include "tests/fuzz/fuzz.h"

using namespace trireme::models;
using trireme::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  HfModelConfig model;
  if (!trireme::fuzz::accepts([&] { model = read_hf_config(text, "x"); })) return 0;
  // A model of many thousand parameters takes a fuzzer too long.
  constexpr std::int64_t kMost = 200;
  if (model.config.layers * (model.config.experts.count + 1) > kMost) return 0;
  std::unique_ptr<Model> built;
  if (!trireme::fuzz::accepts([&] { built = build_model(model.config, model.vocabulary); })) return 0;
  const Family& family = find_family(model.config.family);
  for (const Parameter& parameter : built->parameters().all()) {
    const HfPlace place = place_of(family, model.config, parameter);
    require(volume(place.shape).has_value(), "a tensor has a possible shape", parameter.name);
    require(place.run > 0 && place.offset >= 0 && parameter.elements() % place.run == 0, "runs fill a parameter",
            parameter.name);
    const std::int64_t runs = parameter.elements() / place.run;
    require(place.offset + (runs - 1) * place.stride + place.run <= *volume(place.shape),
            "a parameter lies in its tensor", parameter.name);
  }
  HfConfigWriter writer;
  writer.set("model_type", family.name);
  writer.set("vocab_size", model.vocabulary);
  family.write_config(model.config, writer);
  const std::string written = writer.object.dump();
  HfModelConfig again;
  require(trireme::fuzz::accepts([&] { again = read_hf_config(written, "x"); }), "what is written is accepted",
          written);
  std::unique_ptr<Model> second;
  require(trireme::fuzz::accepts([&] { second = build_model(again.config, again.vocabulary); }), "and built", written);
  require(second->parameters().elements() == built->parameters().elements(), "of the same size", written);
  return 0;
}
