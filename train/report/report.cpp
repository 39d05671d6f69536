#include "train/report/report.h"

#include <chrono>
#include <cstdio>
#include <memory>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "train/report/page.h"
#include "train/report/run_log.h"
#include "train/report/watch.h"

namespace trireme::train {

int report(const ReportOptions& options) {
  if (options.watch) {
    if (options.run.size() != 1) throw Error(ErrorCode::kUsage, "--watch shows one run, got ", options.run.size());
    watch(options.run[0]);
    return kExitDone;
  }
  std::vector<std::unique_ptr<RunLog>> logs;
  std::vector<const RunLog*> shown;
  std::size_t records = 0;
  for (const std::string& run : options.run) {
    logs.push_back(std::make_unique<RunLog>(run));
    shown.push_back(logs.back().get());
    records += logs.back()->records();
  }
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const std::string page = report_page(shown, now);
  write_file_atomically(options.out, page);
  std::fprintf(stderr, "%s: %zu record%s, %s\n", options.out.c_str(), records, records == 1 ? "" : "s",
               bytes_text(static_cast<double>(page.size())).c_str());
  return kExitDone;
}

}  // namespace trireme::train
