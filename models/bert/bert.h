#pragma once
#include "models/family.h"

namespace trireme::models {

/// The BERT architecture, an encoder; see README.md beside this file.
const Family& bert_family();

}  // namespace trireme::models
