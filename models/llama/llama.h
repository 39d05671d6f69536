#pragma once
#include "models/family.h"

namespace trireme::models {

/// The LLaMA architecture, versions 1 to 3; see README.md beside this file.
const Family& llama_family();

}  // namespace trireme::models
