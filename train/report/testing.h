#pragma once
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "train/loop/run_files.h"

/// What tests of this folder share.
namespace trireme::train::testing {

/// A run's directory with what a test puts into it; it goes with its owner.
class RunFolder {
 public:
  RunFolder() {
    static std::atomic<int> count{0};
    path_ = std::filesystem::temp_directory_path() /
            ("trireme-report-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directory(path_);
  }
  ~RunFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

  void put(const char* name, const std::string& content) const { std::ofstream(path_ / name) << content; }
  void append(const char* name, const std::string& content) const {
    std::ofstream(path_ / name, std::ios::app) << content;
  }

  /// What the trainer would have written: steps 1 to `steps`, a loss of 10 / step, an evaluation every tenth.
  void train(std::int64_t steps) const {
    put("config.yaml", "steps: 100\nmodel:\n  family: llama\ndata:\n  path: \"</script><b>\"\n");
    const models::RunOwner owner = models::RunOwner::claim(path_);
    RunFiles files(&owner, 0);
    files.event(names::kStart, 0, {{"ranks", 2}, {"fingerprint", "threads 1"}});
    for (std::int64_t step = 1; step <= steps; ++step) {
      StepRecord record;
      record.step = step;
      record.tokens = 64 * step;
      record.loss = 10.0 / static_cast<double>(step);
      record.grad_norm = 0.5;
      record.tokens_per_second = 1000;
      record.step_ms = 64;
      record.memory_bytes = 3 << 20;
      if (step % 10 == 0) record.eval = {{"validation", 1 + record.loss, record.loss, {}, {}}};
      files.metrics(record);
      if (!record.eval.empty()) {
        files.event(names::kEval, step, {{names::kEval, to_json(record.eval)}});
        files.event(
            names::kSample, step,
            {{names::kNumber, 1}, {names::kPrompt, "The <i>"}, {names::kText, "</script> " + std::to_string(step)}});
      }
    }
  }

 private:
  std::filesystem::path path_;
};

}  // namespace trireme::train::testing
