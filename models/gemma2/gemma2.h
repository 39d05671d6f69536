#pragma once
#include "models/family.h"

namespace trireme::models {

/// The Gemma 2 architecture; see README.md beside this file.
const Family& gemma2_family();

}  // namespace trireme::models
