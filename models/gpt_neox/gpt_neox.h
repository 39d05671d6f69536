#pragma once
#include "models/family.h"

namespace trireme::models {

/// The GPT-NeoX and Pythia architecture; see README.md beside this file.
const Family& gpt_neox_family();

}  // namespace trireme::models
