#pragma once
#include "models/family.h"

namespace trireme::models {

/// The Qwen3 architecture with experts; see README.md beside this file.
const Family& qwen3_moe_family();

}  // namespace trireme::models
