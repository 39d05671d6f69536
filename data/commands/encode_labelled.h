#pragma once
#include "data/commands/encode.h"

namespace trireme::data {

/// `trireme-data encode --labels`. @throws Error as encode()
void encode_labelled(const EncodeOptions& options);

}  // namespace trireme::data
