// A line of JSON with labels. The first byte says of what: bit 0 of tokens. What is accepted has a label for each thing
// that can have one, and a row of ids and labels gives both back.
#include <set>

#include "core/base/text.h"
#include "data/corpus/labelled_line.h"
#include "tests/fuzz/fuzz.h"

using namespace trireme::data;
using trireme::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const bool of_tokens = (data[0] & 1) != 0;
  const LabelledFields fields{of_tokens ? Labels::Of::kTokens : Labels::Of::kTexts, "text", "label"};
  const std::string_view line(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto place = [] { return std::string("line 1"); };
  LabelledLine read;
  if (!trireme::fuzz::accepts([&] { read = LabelledLine::parse(line, fields, place); })) return 0;
  require(trireme::is_utf8(read.text), "what JSON holds is UTF-8", read.text);
  require(read.labels.size() == (!of_tokens ? 1
                                 : read.ids ? read.ids->size()
                                            : read.words.size()),
          "as many labels as there are of");
  std::set<std::string> found;
  for (const auto& label : read.labels) {
    require(label || of_tokens, "a text has a label");
    if (label) found.insert(*label);
  }
  found.insert({"one", "two"});  // there are two at least
  const LabelNames names = LabelNames::found({found.begin(), found.end()});
  if (!read.ids) return 0;
  TokenId largest = 0;
  for (const TokenId id : *read.ids) largest = std::max(largest, id);
  if (largest > (1 << 30)) return 0;  // more than a vocabulary holds
  LabelledText text{*read.ids, {}};
  for (const auto& label : read.labels) text.labels.push_back(label ? names.number_of(*label, place) : -1);
  const LabelStorage storage{largest + 1, {fields.of, names.names()}};
  const LabelledText back = storage.text(storage.row(text), "row");
  require(back.ids == text.ids && back.labels == text.labels, "a row gives back what it took");
  return 0;
}
