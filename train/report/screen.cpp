#include "train/report/screen.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "core/base/live_line.h"
#include "core/base/text.h"
#include "train/report/braille_plot.h"
#include "train/report/summary.h"

namespace trireme::train {
namespace {

constexpr const char *kPlain = "\x1b[0m", *kBold = "\x1b[1m", *kDim = "\x1b[2m", *kCyan = "\x1b[36m",
                     *kYellow = "\x1b[33m", *kGreen = "\x1b[32m";

// Lines whose visible width is counted while they are put together; what goes beyond the width is cut.
class Writer {
 public:
  Writer(std::size_t columns, bool colour) : columns_(columns), colour_(colour) {}

  /// Spaces at both ends stay; between them the text is made fit for a line.
  Writer& put(const std::string& text, const char* style = nullptr) {
    const std::size_t begin = std::min(text.find_first_not_of(' '), text.size()), end = text.find_last_not_of(' ') + 1;
    spaces(begin);
    const std::string inner = one_line(std::string_view(text).substr(begin, end - std::min(begin, end)), left());
    line_ += style && colour_ && !inner.empty() ? style + inner + kPlain : inner;
    used_ +=
        static_cast<std::size_t>(std::count_if(inner.begin(), inner.end(), [](char c) { return (c & 0xC0) != 0x80; }));
    if (end > begin) spaces(text.size() - end);
    return *this;
  }
  Writer& to(std::size_t column) {
    if (column > used_ && column <= columns_) spaces(column - used_);
    return *this;
  }
  Writer& raw(const std::string& line) {
    line_ += line;
    return *this;
  }
  void end() {
    lines.push_back(std::exchange(line_, {}));
    used_ = 0;
  }
  std::size_t left() const { return columns_ - used_; }

  std::vector<std::string> lines;

 private:
  void spaces(std::size_t count) {
    count = std::min(count, left());
    line_.append(count, ' ');
    used_ += count;
  }

  std::size_t columns_, used_ = 0;
  bool colour_;
  std::string line_;
};

const char* style_of(Summary::State state) {
  return state == Summary::State::kComplete ? kGreen : state == Summary::State::kRunning ? kCyan : kYellow;
}

void head(Writer& out, const Summary& summary, std::size_t columns, bool colour) {
  out.put(summary.name, kBold).put("  ").put(state_text(summary.state), style_of(summary.state));
  out.put("  step " + std::to_string(std::llround(summary.step)) +
          (summary.steps > 0 ? "/" + std::to_string(std::llround(summary.steps)) : ""));
  if (summary.seconds_left >= 0) out.put("  " + duration_text(summary.seconds_left) + " left");
  out.end();
  if (summary.steps > 0) out.raw(progress_bar(summary.step / summary.steps, columns, colour)).end();
}

// Columns of label and value, as many as fit.
void figures(Writer& out, const Summary& summary, std::size_t columns) {
  std::size_t label = 0, value = 0;
  for (const auto& figure : summary.figures) {
    label = std::max(label, figure.label.size());
    value = std::max(value, figure.value.size());
  }
  const std::size_t cell = std::min(columns, label + value + 4), fit = std::max<std::size_t>(1, columns / cell);
  const std::size_t rows = (summary.figures.size() + fit - 1) / fit;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t i = row, column = 0; i < summary.figures.size(); i += rows, ++column) {
      const auto& figure = summary.figures[i];
      out.to(column * cell)
          .put(figure.label, kDim)
          .to(column * cell + cell - 3 - figure.value.size())
          .put(figure.value, kBold);
    }
    out.end();
  }
}

void plot(Writer& out, const RunLog& log, std::size_t columns, std::size_t rows, bool colour) {
  std::vector<PlotCurve> curves = {{decimate(log.steps(), log.column(&StepRecord::loss), 2 * columns), kCyan, true}};
  out.put("loss").put("  training", kCyan);
  const char* const colours[] = {kYellow, kGreen, "\x1b[35m", "\x1b[34m"};
  std::size_t next = 0;
  for (const auto& [name, set] : log.evaluations()) {
    const char* const tint = colours[next++ % std::size(colours)];
    curves.push_back({decimate(set.steps, set.loss, 2 * columns), tint, true});
    out.put("  " + name, tint);
  }
  out.end();
  for (const std::string& line : braille_plot(curves, columns, rows - 1, colour)) out.raw(line).end();
}

}  // namespace

std::vector<std::string> screen_of(const RunLog& log, std::size_t columns, std::size_t rows, bool colour, double now) {
  const Summary summary = summarise(log, now);
  Writer top(columns, colour), bottom(columns, colour);
  head(top, summary, columns, colour);
  figures(top, summary, columns);

  // Below the plot: what happened last, and the newest sample of each prompt.
  std::vector<const RunLog::Event*> events;
  for (const RunLog::Event& event : log.events())
    if (event.name != names::kCheckpointRequested) events.push_back(&event);
  const std::size_t shown_events = std::min<std::size_t>({events.size(), rows / 6, 6});
  for (std::size_t i = events.size() - shown_events; i < events.size(); ++i)
    bottom.put(local_time(events[i]->time, "%H:%M:%S"), kDim)
        .put("  step " + std::to_string(events[i]->step) + "  ")
        .put(event_text(*events[i]), is_marked(*events[i]) ? kYellow : nullptr)
        .end();
  std::size_t first = log.samples().size();
  while (first > 0 && log.samples()[first - 1].step == log.samples().back().step) --first;
  const std::size_t shown_samples = std::min<std::size_t>({log.samples().size() - first, rows / 8, 4});
  for (std::size_t i = first; i < first + shown_samples; ++i) {
    const RunLog::Sample& sample = log.samples()[i];
    bottom.put("> ", kDim).put(sample.prompt, kBold);
    // The space between prompt and text belongs to either; one_line takes it from both.
    const bool apart =
        !sample.prompt.empty() && (sample.prompt.back() <= ' ' || (!sample.text.empty() && sample.text[0] <= ' '));
    bottom.put((apart ? " " : "") + one_line(sample.text, columns)).end();
  }

  constexpr std::size_t kLeastPlot = 6, kLeastColumns = 24, kMostPlot = 30;
  const std::size_t used = top.lines.size() + bottom.lines.size();
  std::size_t room = rows > used ? rows - used : 0;
  if (room < kLeastPlot) room = rows > top.lines.size() ? rows - top.lines.size() : 0, bottom.lines.clear();
  if (room >= kLeastPlot && columns >= kLeastColumns) plot(top, log, columns, std::min(room, kMostPlot), colour);
  top.lines.insert(top.lines.end(), bottom.lines.begin(), bottom.lines.end());
  if (top.lines.size() > rows) top.lines.resize(rows);
  return top.lines;
}

}  // namespace trireme::train
