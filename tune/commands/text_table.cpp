#include "tune/commands/text_table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <iostream>
#include <limits>

#include "core/base/text.h"

namespace trireme::tune {
namespace {

constexpr bool begins_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, begins_character));
}

bool is_number(const std::string& cell) {
  double number = 0;
  const char* const end = cell.data() + cell.size();
  return std::from_chars(cell.data(), end, number).ptr == end && !cell.empty();
}

// A column of numbers, beside cells that are empty or "-".
bool is_numeric(const std::vector<std::vector<std::string>>& rows, std::size_t column) {
  return std::all_of(rows.begin() + 1, rows.end(), [&](const auto& row) {
    return row[column].empty() || row[column] == "-" || is_number(row[column]);
  });
}

}  // namespace

std::string cut_to(const std::string& line, std::size_t columns) {
  if (width_of(line) <= columns) return line;
  std::size_t end = 0;
  for (std::size_t seen = 0; end < line.size() && (seen += begins_character(line[end])) < columns;) ++end;
  return line.substr(0, end) + (columns > 0 ? "…" : "");
}

std::vector<std::string> TextTable::lines(std::size_t columns) const {
  std::vector<std::string> lines(rows_.size());
  for (std::size_t column = 0; column < rows_[0].size(); ++column) {
    std::size_t width = 0;
    for (const auto& row : rows_) width = std::max(width, width_of(row[column]));
    const bool is_right = is_numeric(rows_, column);
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const std::string& cell = rows_[i][column];
      const std::string space(width - width_of(cell), ' ');
      lines[i] += (column > 0 ? "  " : "") + (is_right ? space + cell : cell + space);
    }
  }
  for (std::string& line : lines) {
    line.resize(line.find_last_not_of(' ') + 1);
    line = cut_to(line, columns);
  }
  return lines;
}

std::size_t columns_of(int descriptor) {
  struct winsize size{};
  const bool is_known = ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return is_known ? size.ws_col : std::numeric_limits<std::size_t>::max();
}

void print_table(const TextTable& table) {
  for (const std::string& line : table.lines(columns_of(STDOUT_FILENO))) std::cout << line << "\n";
}

void print_pairs(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::size_t width = 0;
  for (const auto& [name, text] : pairs) width = std::max(width, width_of(name));
  for (const auto& [name, text] : pairs)
    std::cout << name << std::string(width - width_of(name) + 2, ' ') << text << "\n";
}

}  // namespace trireme::tune
