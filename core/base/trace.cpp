#include "core/base/trace.h"

#include <chrono>
#include <nlohmann/json.hpp>

namespace trireme {

using nlohmann::json;

Trace::Nanoseconds Trace::now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void Trace::add(const char* category, const char* name, Nanoseconds begin, Nanoseconds end,
                const TraceNumbers& numbers) {
  events_.push_back({category, name, begin, end, false, numbers});
}

void Trace::add_beside(const char* category, const char* name, Nanoseconds begin, Nanoseconds end,
                       const TraceNumbers& numbers) {
  events_.push_back({category, name, begin, end, true, numbers});
}

std::string Trace::to_json(const std::string& process, int number) const {
  const auto time = [&](Nanoseconds at) { return static_cast<double>(at - zero_) / 1000; };
  std::string text = "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n";
  text +=
      json{{"ph", "M"}, {"name", "process_name"}, {"pid", number}, {"tid", 0}, {"args", {{"name", process}}}}.dump();
  std::int64_t id = 0;
  for (const Event& event : events_) {
    json numbers = json::object();
    for (const TraceNumber& n : event.numbers)
      if (n.key) numbers[n.key] = n.value;
    json line = {{"cat", event.category},   {"name", event.name}, {"pid", number}, {"tid", 0},
                 {"ts", time(event.begin)}, {"args", numbers}};
    if (!event.beside) {
      line["ph"] = "X";
      line["dur"] = static_cast<double>(event.end - event.begin) / 1000;
      text += ",\n" + line.dump();
      continue;
    }
    line["ph"] = "b";
    line["id"] = ++id;
    text += ",\n" + line.dump();
    line["ph"] = "e";
    line["ts"] = time(event.end);
    line.erase("args");
    text += ",\n" + line.dump();
  }
  return text + "\n]}\n";
}

}  // namespace trireme
