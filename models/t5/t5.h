#pragma once
#include "models/family.h"

namespace trireme::models {

/// The T5 architecture, versions 1.0 and 1.1, an encoder-decoder; see README.md beside this file.
const Family& t5_family();

}  // namespace trireme::models
