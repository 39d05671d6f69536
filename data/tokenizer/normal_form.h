#pragma once
#include "data/tokenizer/aligned_text.h"

namespace trireme::data {

/// Unicode's normal forms, with offsets.
///
/// Source: Unicode Standard Annex 15. Characters come from utf8proc, in the state of Unicode 11, which is what PyPI's
/// tokenizers know: normal forms of characters never change, so only those that came later are left alone.
class NormalForm {
 public:
  enum class Kind { kNfc, kNfd, kNfkc, kNfkd };

  explicit NormalForm(Kind kind);
  void apply(AlignedText& text, TextChange::Scratch& scratch) const;

 private:
  struct Tables;
  const Tables* tables_;  // made once a kind, in some milliseconds
};

}  // namespace trireme::data
