#include "models/store_model.h"

#include <algorithm>
#include <vector>

#include "core/base/error.h"
#include "core/base/host_memory.h"
#include "core/base/stop.h"
#include "models/checkpoint/manifest.h"
#include "models/model.h"

namespace trireme::models {

Committed store_model(const ModelSource& from, const std::string& training_json, const std::filesystem::path& to) {
  if (std::filesystem::exists(to)) throw Error(ErrorCode::kUsage, to.string(), " exists; choose a name that is free");
  const auto model = model_from_json(from.model_json(), from.where());
  std::vector<TensorSlice> slices;
  std::vector<const Parameter*> parameters;  // of each slice
  for (const Parameter& parameter : model->parameters().all()) {
    if (parameter.tied_to) continue;
    append_row_slices(slices, kWeightsPrefix + parameter.name, from.type(parameter), parameter.shape);
    parameters.resize(slices.size(), &parameter);
  }
  std::size_t most = 0;
  for (const TensorSlice& slice : slices)
    most = std::max(most, static_cast<std::size_t>(*volume(slice.size)) * bytes_per_element(slice.type));
  const HostMemory buffer(most);
  const auto data = [&](std::size_t i) -> const void* {
    if (stop_requested()) throw Error(ErrorCode::kInterrupted, "interrupted: nothing was written");
    from.read_rows(*parameters[i], slices[i].offset[0], slices[i].size[0], buffer.data());
    return buffer.data();
  };
  const CheckpointTexts texts{from.model_json(), training_json, from.companion(kTokenizerFile).value_or(""), "",
                              companions_of(from)};
  const auto alone = make_self_communicator();
  return write_checkpoint(*alone, to, slices, texts, data);
}

}  // namespace trireme::models
