#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trireme::serve {

/// Watches a text that comes in pieces for the first of some texts that is complete in it, and holds back what may
/// become the beginning of one.
class StopText {
 public:
  explicit StopText(std::vector<std::string> texts);

  /// @returns what of the text so far, and not given before, can be given: nothing of a stop text or behind it
  std::string pass(std::string_view piece);
  /// The one that was found, which ends the text.
  const std::optional<std::string>& found() const { return found_; }
  /// What was held back, once no more comes.
  std::string rest() { return std::move(held_); }

 private:
  std::vector<std::string> texts_;
  std::string held_;
  std::optional<std::string> found_;
};

}  // namespace trireme::serve
