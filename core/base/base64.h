#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace trireme {

/// RFC 4648, section 4, with padding.
std::string base64(std::string_view bytes);
/// The bytes again; nothing for what is not base64.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace trireme
