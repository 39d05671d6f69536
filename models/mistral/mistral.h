#pragma once
#include "models/family.h"

namespace trireme::models {

/// The Mistral architecture; see README.md beside this file.
const Family& mistral_family();

}  // namespace trireme::models
