#pragma once
#include "models/family.h"

namespace trireme::models {

/// The Qwen2 and Qwen2.5 architecture; see README.md beside this file.
const Family& qwen2_family();

}  // namespace trireme::models
