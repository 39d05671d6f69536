#include "data/tokenizer/normalizer.h"

#include <map>
#include <vector>

#include "core/base/base64.h"
#include "data/tokenizer/byte_alphabet.h"
#include "data/tokenizer/char_sets.h"
#include "data/tokenizer/charsmap.h"
#include "data/tokenizer/normal_form.h"
#include "data/tokenizer/pattern.h"
#include "data/tokenizer/unicode_classes.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data {
namespace {

using Json = nlohmann::json;
using Scratch = TextChange::Scratch;

/// Writes each character anew: `change(TextChange&, Utf8Step, std::string_view bytes)` goes over just one.
template <class Change>
void change_each(AlignedText& text, Scratch& scratch, Change&& each) {
  TextChange change(text, scratch);
  while (!change.at_end()) {
    const Utf8Step step = utf8_step(change.old_text().substr(change.at()));
    each(change, step, change.old_text().substr(change.at(), step.size));
  }
  change.finish();
}

/// The same where it is worth it: most texts have no character that some part is about.
template <class IsMeant, class Change>
void change_some(AlignedText& text, Scratch& scratch, IsMeant&& is_meant, Change&& each) {
  bool any = false;
  for_each_character(text.text(), [&](Utf8Step step, std::string_view) { any = any || is_meant(step); });
  if (!any) return;
  change_each(text, scratch, [&](TextChange& change, Utf8Step step, std::string_view bytes) {
    is_meant(step) ? each(change, step, bytes) : change.keep(bytes.size());
  });
}

class Sequence final : public Normalizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<Normalizer>> parts) : parts_(std::move(parts)) {}
  void normalize(AlignedText& text, Scratch& scratch) const override {
    for (const auto& part : parts_) part->normalize(text, scratch);
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> parts_;
};

class Form final : public Normalizer {
 public:
  explicit Form(NormalForm::Kind kind) : form_(kind) {}
  void normalize(AlignedText& text, Scratch& scratch) const override { form_.apply(text, scratch); }

 private:
  NormalForm form_;
};

void lower_case(AlignedText& text, Scratch& scratch) {
  std::string character;
  char32_t buffer[2];
  change_some(
      text, scratch,
      [&](Utf8Step step) {
        if (!step.is_valid()) return false;
        const auto lower = lowercase(step.code, buffer);
        return lower.size() > 1 || lower[0] != step.code;
      },
      [&](TextChange& change, Utf8Step step, std::string_view) {
        bool is_first = true;
        for (const char32_t code : lowercase(step.code, buffer)) {
          character.clear();
          append_utf8(character, code);
          is_first ? change.replace(character) : change.insert(character);
          is_first = false;
        }
      });
}

void drop(CharSet set, AlignedText& text, Scratch& scratch) {
  change_some(
      text, scratch, [&](Utf8Step step) { return step.is_valid() && is_in(set, step.code); },
      [](TextChange& change, Utf8Step step, std::string_view) { change.skip(step.size); });
}

class Lowercase final : public Normalizer {
 public:
  void normalize(AlignedText& text, Scratch& scratch) const override { lower_case(text, scratch); }
};

class StripAccents final : public Normalizer {
 public:
  void normalize(AlignedText& text, Scratch& scratch) const override { drop(CharSet::kMark, text, scratch); }
};

/// Source: Devlin et al. 2018, arXiv:1810.04805: the "basic" tokenizer of its code.
class Bert final : public Normalizer {
 public:
  Bert(const JsonReader& reader, const Json& part, const std::string& where)
      : clean_text_(reader.boolean(part, "clean_text", where)),
        chinese_(reader.boolean(part, "handle_chinese_chars", where)),
        lowercase_(reader.boolean(part, "lowercase", where)),
        strip_accents_(reader.boolean(part, "strip_accents", where, lowercase_)) {}

  void normalize(AlignedText& text, Scratch& scratch) const override {
    if (clean_text_) {
      drop(CharSet::kControl, text, scratch);
      change_some(
          text, scratch, [](Utf8Step step) { return is_white_space(step) && step.code != ' '; },
          [](TextChange& change, Utf8Step, std::string_view) { change.replace(" "); });
    }
    if (chinese_) {
      change_some(text, scratch, is_chinese, [](TextChange& change, Utf8Step, std::string_view character) {
        change.replace(" ");
        change.insert(character);
        change.insert(" ");
      });
    }
    if (strip_accents_) {
      form_.apply(text, scratch);
      drop(CharSet::kNonspacingMark, text, scratch);
    }
    if (lowercase_) lower_case(text, scratch);
  }

 private:
  static bool is_chinese(Utf8Step step) {
    const auto within = [&](char32_t first, char32_t last) { return step.code >= first && step.code <= last; };
    return step.is_valid() && step.code >= 0x3400 &&
           (within(0x4E00, 0x9FFF) || within(0x3400, 0x4DBF) || within(0x20000, 0x2A6DF) || within(0x2A700, 0x2B73F) ||
            within(0x2B740, 0x2B81F) || within(0x2B920, 0x2CEAF) || within(0xF900, 0xFAFF) || within(0x2F800, 0x2FA1F));
  }

  bool clean_text_, chinese_, lowercase_, strip_accents_;
  NormalForm form_{NormalForm::Kind::kNfd};
};

class Strip final : public Normalizer {
 public:
  Strip(const JsonReader& reader, const Json& part, const std::string& where)
      : left_(reader.boolean(part, "strip_left", where)), right_(reader.boolean(part, "strip_right", where)) {}

  void normalize(AlignedText& text, Scratch& scratch) const override {
    std::string_view kept = text.text();
    while (left_ && !kept.empty() && is_white_space(utf8_step(kept))) kept.remove_prefix(utf8_step(kept).size);
    const std::size_t begin = text.text().size() - kept.size();
    while (right_ && !kept.empty() && is_white_space(utf8_step_back(kept)))
      kept.remove_suffix(utf8_step_back(kept).size);
    if (kept.size() == text.text().size()) return;
    TextChange change(text, scratch);
    change.skip(begin);
    change.keep(kept.size());
    change.finish();
  }

 private:
  bool left_, right_;
};

/// What SentencePiece's "nmt" rules do before its table.
class Nmt final : public Normalizer {
 public:
  void normalize(AlignedText& text, Scratch& scratch) const override {
    change_some(
        text, scratch, [](Utf8Step step) { return is_dropped(step.code) || is_blank(step.code); },
        [](TextChange& change, Utf8Step step, std::string_view) {
          is_dropped(step.code) ? change.skip(step.size) : change.replace(" ");
        });
  }

 private:
  static bool is_dropped(char32_t code) {
    return (code >= 0x01 && code <= 0x08) || code == 0x0B || (code >= 0x0E && code <= 0x1F) || code == 0x7F ||
           code == 0x8F || code == 0x9F;
  }
  static bool is_blank(char32_t code) {
    return code == 0x09 || code == 0x0A || code == 0x0C || code == 0x0D || code == 0x1680 ||
           (code >= 0x200B && code <= 0x200F) || code == 0x2028 || code == 0x2029 || code == 0x2581 || code == 0xFEFF ||
           code == 0xFFFD;
  }
};

class Precompiled final : public Normalizer {
 public:
  Precompiled(const JsonReader& reader, const Json& part, const std::string& where) {
    const auto bytes = decode_base64(reader.text(part, "precompiled_charsmap", where));
    auto map = bytes ? Charsmap::parse(*bytes) : std::nullopt;
    if (!map) reader.refuse(where, ".precompiled_charsmap is no table of SentencePiece's in base64");
    map_ = std::move(*map);
  }
  void normalize(AlignedText& text, Scratch& scratch) const override { map_.apply(text, scratch); }

 private:
  Charsmap map_;
};

class Replace final : public Normalizer {
 public:
  Replace(const JsonReader& reader, const Json& part, const std::string& where)
      : pattern_(Pattern::read(reader, part, where)), content_(reader.text(part, "content", where)) {}

  void normalize(AlignedText& text, Scratch& scratch) const override {
    TextChange change(text, scratch);
    bool is_changed = false;
    pattern_.for_each(text.text(), [&](std::size_t begin, std::size_t end) {
      is_changed = true;
      change.keep(begin - change.at());
      change.skip(end - begin);
      for_each_character(content_, [&](Utf8Step, std::string_view character) { change.insert(character); });
    });
    if (!is_changed) return;
    change.keep(change.old_text().size() - change.at());
    change.finish();
  }

 private:
  Pattern pattern_;
  std::string content_;
};

class Prepend final : public Normalizer {
 public:
  Prepend(const JsonReader& reader, const Json& part, const std::string& where)
      : prefix_(reader.text(part, "prepend", where)) {}

  void normalize(AlignedText& text, Scratch& scratch) const override {
    if (text.text().empty() || prefix_.empty()) return;
    TextChange change(text, scratch);
    change.prepend(prefix_);
    change.keep(change.old_text().size() - change.at());
    change.finish();
  }

 private:
  std::string prefix_;
};

class ByteLevel final : public Normalizer {
 public:
  void normalize(AlignedText& text, Scratch& scratch) const override {
    if (text.text().empty()) return;
    change_each(text, scratch,
                [](TextChange& change, Utf8Step, std::string_view bytes) { change_to_alphabet(change, bytes); });
  }
};

}  // namespace

std::unique_ptr<Normalizer> Normalizer::make(const JsonReader& reader, const Json& part, const std::string& where) {
  using Made = std::unique_ptr<Normalizer>;
  using Make = Made (*)(const JsonReader&, const Json&, const std::string&);
  struct Kind {
    std::vector<std::string> keys;
    Make make;
  };
  using Form_ = NormalForm::Kind;
  const auto plain = []<class Part>() -> Make {
    return [](const JsonReader&, const Json&, const std::string&) -> Made { return std::make_unique<Part>(); };
  };
  const auto with = []<class Part>() -> Make {
    return [](const JsonReader& from, const Json& json, const std::string& at) -> Made {
      return std::make_unique<Part>(from, json, at);
    };
  };
  const auto form = []<Form_ kKind>() -> Make {
    return [](const JsonReader&, const Json&, const std::string&) -> Made { return std::make_unique<Form>(kKind); };
  };
  static const std::map<std::string, Kind> kKinds = {
      {"BertNormalizer",
       {{"clean_text", "handle_chinese_chars", "strip_accents", "lowercase"}, with.operator()<Bert>()}},
      {"ByteLevel", {{}, plain.operator()<ByteLevel>()}},
      {"Lowercase", {{}, plain.operator()<Lowercase>()}},
      {"NFC", {{}, form.operator()<Form_::kNfc>()}},
      {"NFD", {{}, form.operator()<Form_::kNfd>()}},
      {"NFKC", {{}, form.operator()<Form_::kNfkc>()}},
      {"NFKD", {{}, form.operator()<Form_::kNfkd>()}},
      {"Nmt", {{}, plain.operator()<Nmt>()}},
      {"Precompiled", {{"precompiled_charsmap"}, with.operator()<Precompiled>()}},
      {"Prepend", {{"prepend"}, with.operator()<Prepend>()}},
      {"Replace", {{"pattern", "content"}, with.operator()<Replace>()}},
      {"Sequence",
       {{"normalizers"},
        [](const JsonReader& from, const Json& json, const std::string& at) -> Made {
          return std::make_unique<Sequence>(from.list(
              json, "normalizers", at,
              [&](const Json& entry, const std::string& place) { return Normalizer::make(from, entry, place); }));
        }}},
      {"Strip", {{"strip_left", "strip_right"}, with.operator()<Strip>()}},
      {"StripAccents", {{}, plain.operator()<StripAccents>()}},
  };
  if (part.is_null()) return nullptr;
  const Kind& kind = reader.kind_of(part, where, kKinds);
  reader.require_known_keys(part, where, kind.keys);
  return kind.make(reader, part, where);
}

}  // namespace trireme::data
