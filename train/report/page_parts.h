#pragma once
#include <string_view>

namespace trireme::train {

/// page.css and page.js, which scripts/cmake/embed.cmake puts into the program.
extern const std::string_view kPageCss, kPageJs;

}  // namespace trireme::train
