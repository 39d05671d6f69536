#pragma once
#include <memory>
#include <string>

#include "data/tokenizer/aligned_text.h"
#include "data/tokenizer/json_reader.h"

namespace trireme::data {

/// Changes text before it is cut into pieces: case, accents, normal forms, other characters for spaces. One of
/// tokenizer.json's normalizers, or a sequence of them.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  /// @throws Error kBadInput  the result grows out of all proportion
  virtual void normalize(AlignedText& text, TextChange::Scratch& scratch) const = 0;

  /// @param part  null gives none
  static std::unique_ptr<Normalizer> make(const JsonReader& reader, const nlohmann::json& part,
                                          const std::string& where);
};

}  // namespace trireme::data
