#include "models/registry.h"

#include "core/base/error.h"
#include "core/base/text.h"
#include "models/gpt2/gpt2.h"
#include "models/llama/llama.h"

namespace trireme::models {
namespace {

struct Family {
  const char* name;
  std::unique_ptr<Model> (*build)(const ModelConfig&, std::int64_t vocabulary, Part part);
};

// One line a family.
constexpr Family kFamilies[] = {
    {"gpt2", make_gpt2},
    {"llama", make_llama},
};

}  // namespace

std::vector<std::string> family_names() {
  std::vector<std::string> names;
  for (const Family& family : kFamilies) names.emplace_back(family.name);
  return names;
}

std::unique_ptr<Model> build_model(const ModelConfig& config, std::int64_t vocabulary, Part part) {
  for (const Family& family : kFamilies)
    if (config.family == family.name) return family.build(config, vocabulary, part);
  throw Error(ErrorCode::kUsage, "model.family must be one of ", join(family_names(), ", "), ", got '", config.family,
              "'", did_you_mean(config.family, family_names()));
}

}  // namespace trireme::models
