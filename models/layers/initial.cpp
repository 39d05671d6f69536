#include "models/layers/initial.h"

#include <cmath>

namespace trireme::models {

Init initial(const ModelConfig& config) {
  return Init::normal(std::sqrt(2.0 / (5.0 * static_cast<double>(config.width))));
}

Init initial_output(const ModelConfig& config) {
  return Init::normal(initial(config).deviation / std::sqrt(2.0 * static_cast<double>(config.layers)));
}

}  // namespace trireme::models
