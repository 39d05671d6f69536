// A config file as trireme-train reads it: what is accepted is printed as YAML that says the same.
#include "core/base/text.h"
#include "core/config/sources.h"
#include "tests/fuzz/fuzz.h"
#include "train/config/train_config.h"

using trireme::train::TrainConfig;

namespace {

void read(std::string_view yaml, TrainConfig& config) {
  const trireme::FieldList fields = trireme::fields_of(config);
  trireme::apply_assignments(trireme::parse_yaml(std::string(yaml), "train.yaml", fields), fields);
}

std::string printed(TrainConfig& config) { return trireme::to_yaml(trireme::fields_of(config)); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  TrainConfig config;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (!trireme::fuzz::accepts([&] {
        read(text, config);
        validate(config);
      }))
    return 0;
  const std::string yaml = printed(config);
  TrainConfig again;
  const bool accepted = trireme::fuzz::accepts([&] { read(yaml, again); });
  trireme::fuzz::require(accepted, "what is printed is accepted", yaml);
  const trireme::FieldList fields = trireme::fields_of(config), fields_again = trireme::fields_of(again);
  for (std::size_t i = 0; i < fields.size(); ++i)
    std::visit(
        [&](const auto* value) {
          using Pointer = std::decay_t<decltype(value)>;
          const auto* other = std::get<std::remove_const_t<std::remove_pointer_t<Pointer>>*>(fields_again[i].value);
          trireme::fuzz::require(*value == *other, "a config that is printed and read is the same", yaml);
        },
        fields[i].value);
  return 0;
}
