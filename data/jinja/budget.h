#pragma once
#include <cstddef>
#include <cstdint>

namespace trireme::data::jinja {

/// What one rendering may spend. Templates come with models, and so from strangers: one that runs away ends with an
/// Error, by these defaults within half a second and some tens of megabytes. They leave room for conversations of some
/// megabytes; whoever renders longer ones gives more.
struct Budget {
  /// Nodes of the template that are evaluated, items that are walked, and pieces of 32 bytes that are read or written.
  std::uint64_t steps = 6'000'000;
  /// The text that comes out.
  std::size_t output_bytes = std::size_t{32} << 20;
  /// All texts, lists and other values that live at one time, beside the variables that were passed in.
  std::size_t memory_bytes = std::size_t{64} << 20;
};

/// A template that is larger is refused; published ones have some tens of kilobytes.
inline constexpr std::size_t kMaxTemplateBytes = std::size_t{256} << 10;
/// How deep expressions may nest, and blocks. Python takes no more than 200 parentheses and 100 indentations.
inline constexpr int kMaxExpressionDepth = 200;
inline constexpr int kMaxBlockDepth = 100;
/// Arguments of one call, and parameters of one macro.
inline constexpr std::size_t kMaxArguments = 1000;
/// How deep a rendering may nest: expressions, blocks and calls of macros together.
inline constexpr int kMaxNesting = 1000;
/// How deep lists and dicts may lie in each other where they are printed, compared or passed in.
inline constexpr int kMaxValueDepth = 200;

}  // namespace trireme::data::jinja
