#pragma once
#include "models/family.h"

namespace trireme::models {

/// The Qwen3 architecture, dense; see README.md beside this file.
const Family& qwen3_family();

}  // namespace trireme::models
