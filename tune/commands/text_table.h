#pragma once
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace trireme::tune {

/// Rows of a table for people: columns as wide as their widest cell, numbers to the right and all else to the left.
/// Cells must be free of control characters.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> titles) { add(std::move(titles)); }
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  /// @param columns  what is beyond them is cut off, and "…" says so
  std::vector<std::string> lines(std::size_t columns) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// The first columns of a line; "…" ends it where something was cut off. Counts characters.
std::string cut_to(const std::string& line, std::size_t columns);
/// Columns of the terminal behind a descriptor; what is no terminal has no end.
std::size_t columns_of(int descriptor);
/// The table on stdout.
void print_table(const TextTable& table);
/// Names and what they are, one a line, on stdout; nothing is cut off.
void print_pairs(const std::vector<std::pair<std::string, std::string>>& pairs);

}  // namespace trireme::tune
