#include "core/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <string>

namespace trireme {
namespace {

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("trireme", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    const char* text = std::getenv("TRIREME_LOG");
    const auto level = text ? spdlog::level::from_str(text) : spdlog::level::info;
    // A name that spdlog does not know reads as "off": nobody asked for silence.
    const bool unknown = level == spdlog::level::off && std::string(text) != "off";
    made->set_level(unknown ? spdlog::level::info : level);
    if (unknown) made->warn("warning: TRIREME_LOG must be one of debug, info, warning, error, off, got '{}'", text);
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *instance;
}

}  // namespace

// The text is an argument and never the format: it may hold braces.
void log_debug(std::string_view line) { logger().debug("{}", line); }
void log_info(std::string_view line) { logger().info("{}", line); }
void log_warning(std::string_view line) { logger().warn("warning: {}", line); }
void log_error(std::string_view line) { logger().error("error: {}", line); }
void set_log_rank(int rank) { logger().set_pattern("rank " + std::to_string(rank) + ": %v"); }
void flush_log() { logger().flush(); }

}  // namespace trireme
