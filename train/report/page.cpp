#include "train/report/page.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/build_info.h"
#include "core/base/text.h"
#include "train/report/decimate.h"
#include "train/report/page_parts.h"
#include "train/report/summary.h"

namespace trireme::train {
namespace {

using nlohmann::json;

constexpr std::size_t kPoints = 1500, kEvents = 1000, kSampleSteps = 400;

const char* key_of(std::size_t metric) { return kMetrics[metric].name; }

// What is drawn, in this order. Curves that no run has are left out.
json charts(const std::set<std::string>& sets) {
  const auto line = [](auto member, const char* label) {
    return json{{"key", key_of(index_of(member))}, {"label", label}};
  };
  json all = json::array();
  const auto chart = [&](const char* title, const char* unit, const char* format, json series, json more) {
    json made = {{"title", title}, {"unit", unit}, {"format", format}, {"series", std::move(series)}};
    made.update(more);
    all.push_back(std::move(made));
  };
  json losses = json::array({line(&StepRecord::loss, "training")}), bits = json::array(), found = json::array();
  for (const std::string& name : sets) {
    losses.push_back({{"key", "eval/" + name + "/loss"}, {"label", name}, {"dots", true}});
    bits.push_back({{"key", "eval/" + name + "/bits"}, {"label", name}, {"dots", true}});
    found.push_back({{"key", "eval/" + name + "/accuracy"}, {"label", name}, {"dots", true}});
  }
  const json log = {{"log", true}}, zero = {{"zero", true}};
  chart("Loss", "nats a token", "plain", losses, {{"log", true}, {"wide", true}});
  chart("Bits a byte", "bits a byte of text, evaluation", "plain", bits, log);
  chart("Accuracy", "share of labels that are found, evaluation", "share", found, json::object());
  chart("Gradient norm", "before clipping", "plain", json::array({line(&StepRecord::grad_norm, "gradient norm")}), log);
  chart("Learning rate", "", "plain", json::array({line(&StepRecord::learning_rate, "learning rate")}), log);
  chart("Throughput", "tokens a second, all ranks", "count",
        json::array({line(&StepRecord::tokens_per_second, "tokens/s")}), zero);
  chart("MFU", "share of the peak that was measured at the start", "share",
        json::array({line(&StepRecord::mfu, "MFU")}), zero);
  chart("Step time", "without evaluation and saving", "ms", json::array({line(&StepRecord::step_ms, "step")}),
        {{"zero", true}, {"log", true}});
  chart("Stalls", "time that training stood still", "ms",
        json::array(
            {line(&StepRecord::data_wait_ms, "waiting for data"), line(&StepRecord::checkpoint_stall_ms, "saving")}),
        zero);
  chart("Memory", "resident, all ranks", "bytes", json::array({line(&StepRecord::memory_bytes, "memory")}), zero);
  return all;
}

// Six digits are more than a page can show; nlohmann would print seventeen.
json numbers(const std::vector<double>& values) {
  json out = json::array();
  char text[32];
  for (const double value : values) {
    std::snprintf(text, sizeof text, "%.6g", value);
    out.push_back(std::strtod(text, nullptr));
  }
  return out;
}

json curve_json(const std::vector<double>& x, const std::vector<double>& y) {
  const Curve curve = decimate(x, y, kPoints);
  json out = {{"x", numbers(curve.x)}, {"mean", numbers(curve.mean)}, {"spread", curve.has_spread}};
  out["first"] = x.empty() ? json(nullptr) : json(x.front());
  if (curve.has_spread) out.update({{"low", numbers(curve.low)}, {"high", numbers(curve.high)}});
  return out;
}

json events_json(const RunLog& log, std::size_t& left_out) {
  json out = json::array();
  std::vector<const RunLog::Event*> shown;
  for (const RunLog::Event& event : log.events())
    if (event.name != names::kCheckpointRequested) shown.push_back(&event);
  left_out = shown.size() > kEvents ? shown.size() - kEvents : 0;
  for (std::size_t i = left_out; i < shown.size(); ++i) {
    const RunLog::Event& event = *shown[i];
    const char* kind = event.name == names::kCheckpointDurable ? "checkpoint"
                       : !is_marked(event)                     ? ""
                       : event.name == names::kResumed         ? "resumed"
                                                               : "fault";
    out.push_back({{"name", event.name},
                   {"step", event.step},
                   {"time", event.time},
                   {"kind", kind},
                   {"text", event_text(event)}});
  }
  return out;
}

// Of very many evaluations some, evenly, the newest among them.
json samples_json(const RunLog& log) {
  std::vector<std::int64_t> steps;
  for (const RunLog::Sample& sample : log.samples())
    if (steps.empty() || steps.back() != sample.step) steps.push_back(sample.step);
  const std::size_t stride = steps.size() / kSampleSteps + 1;
  std::set<std::int64_t> kept;
  for (std::size_t i = 0; i < steps.size(); i += stride) kept.insert(steps[steps.size() - 1 - i]);
  json out = json::array();
  for (const RunLog::Sample& sample : log.samples())
    if (kept.contains(sample.step))
      out.push_back(
          {{"step", sample.step}, {"number", sample.number}, {"prompt", sample.prompt}, {"text", sample.text}});
  return out;
}

std::string about(const RunLog& log) {
  std::string text = well_formed_utf8(log.run().string());
  for (auto event = log.events().rbegin(); event != log.events().rend(); ++event) {
    if (event->name != names::kStart && event->name != names::kResumed) continue;
    if (const auto* ranks = event->find("ranks")) text += "  ·  " + *ranks + (*ranks == "1" ? " rank" : " ranks");
    if (const auto* fingerprint = event->find("fingerprint")) text += "  ·  " + *fingerprint;
    break;
  }
  return text;
}

json run_json(const RunLog& log, double now) {
  const Summary summary = summarise(log, now);
  json figures = json::array();
  for (const auto& figure : summary.figures) figures.push_back({figure.label, figure.value, figure.note});
  if (summary.seconds_left >= 0) figures.push_back({"time left", duration_text(summary.seconds_left), "at this pace"});
  json curves = json::object();
  for (std::size_t i = 0; i < kMetrics.size(); ++i) curves[key_of(i)] = curve_json(log.steps(), log.column(i));
  for (const auto& [name, set] : log.evaluations()) {
    curves["eval/" + name + "/loss"] = curve_json(set.steps, set.loss);
    curves["eval/" + name + "/bits"] = curve_json(set.steps, set.bits_per_byte);
    curves["eval/" + name + "/accuracy"] = curve_json(set.steps, set.accuracy);
  }
  std::vector<double> elapsed = log.times();
  const double begin = elapsed.empty() ? 0 : elapsed.front() - log.column(&StepRecord::step_ms).front() / 1000;
  for (double& time : elapsed) time -= begin;
  const auto& tokens = log.column(&StepRecord::tokens);
  std::size_t left_out = 0;
  const json events = events_json(log, left_out);
  const char* states[] = {"complete", "running", "stopped"};
  return {{"name", summary.name},
          {"about", about(log)},
          {"state", states[static_cast<int>(summary.state)]},
          {"state_text", state_text(summary.state)},
          {"share", summary.steps > 0 ? summary.step / summary.steps : 1},
          {"figures", figures},
          {"curves", curves},
          {"elapsed", curve_json(log.steps(), elapsed)},
          {"tokens_per_step", tokens.empty() || !std::isfinite(tokens.back()) ? 0 : tokens.back() / log.steps().back()},
          {"events", events},
          {"events_left_out", left_out},
          {"samples", samples_json(log)},
          {"config", log.config()}};
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else
      out += c;
  }
  return out;
}

// JSON inside a script element: "<" occurs in strings only, and written as an escape it can end no element.
std::string script_json(const json& value) {
  std::string out;
  for (const char c : value.dump(-1, ' ', false, json::error_handler_t::replace)) {
    if (c == '<')
      out += "\\u003c";
    else
      out += c;
  }
  return out;
}

}  // namespace

std::string report_page(const std::vector<const RunLog*>& logs, double now) {
  json runs = json::array();
  std::set<std::string> sets;
  for (const RunLog* log : logs) {
    runs.push_back(run_json(*log, now));
    for (const auto& [name, set] : log->evaluations()) sets.insert(name);
  }
  const std::string title =
      logs.size() == 1 ? runs[0]["name"].get<std::string>() : std::to_string(logs.size()) + " runs";
  const json data = {
      {"runs", runs},
      {"charts", charts(sets)},
      {"made", "Made by trireme-train " + version_text() + " on " + local_time(now, "%Y-%m-%d %H:%M:%S %Z")}};
  std::string page = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" + escaped(title) +
          " · Trireme</title>\n<style>\n";
  page += kPageCss;
  page +=
      "</style>\n</head>\n<body>\n<noscript>This page draws its curves with a script of its own, which is turned off "
      "here.</noscript>\n";
  page += "<script type=\"application/json\" id=\"data\">" + script_json(data) + "</script>\n<script>\n";
  page += kPageJs;
  page += "</script>\n</body>\n</html>\n";
  return page;
}

}  // namespace trireme::train
