#pragma once
#include "data/commands/encode.h"

namespace trireme::data {

/// `trireme-data encode --learn answers|preferences`. @throws Error as encode()
void encode_answers(const EncodeOptions& options);

}  // namespace trireme::data
