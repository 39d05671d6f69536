#pragma once
#include "models/family.h"

namespace trireme::models {

/// The Mixtral architecture; see README.md beside this file.
const Family& mixtral_family();

}  // namespace trireme::models
