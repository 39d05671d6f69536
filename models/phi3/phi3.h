#pragma once
#include "models/family.h"

namespace trireme::models {

/// The Phi-3 architecture; see README.md beside this file.
const Family& phi3_family();

}  // namespace trireme::models
