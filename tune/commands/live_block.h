#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace trireme::tune {

/// Some lines at the end of a terminal that are rewritten in place; lines that stay go above them. On stderr. What is
/// no terminal gets only those that stay. As LiveLine, but of several lines.
class LiveBlock {
 public:
  LiveBlock();
  LiveBlock(const LiveBlock&) = delete;
  LiveBlock& operator=(const LiveBlock&) = delete;

  bool is_terminal() const { return terminal_; }
  /// Of the terminal, as of now. A line that wrapped could not be rewritten, nor one above the first row.
  std::size_t columns() const;
  std::size_t rows() const;

  /// @param lines  none wider than columns(), fewer than rows()
  void show(const std::vector<std::string>& lines);
  void clear() { show({}); }
  /// A line that stays.
  void line(const std::string& text);

 private:
  const bool terminal_;
  std::size_t shown_ = 0;  // lines
};

}  // namespace trireme::tune
