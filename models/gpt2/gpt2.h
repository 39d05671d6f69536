#pragma once
#include "models/family.h"

namespace trireme::models {

/// The GPT-2 architecture; see README.md beside this file.
const Family& gpt2_family();

}  // namespace trireme::models
