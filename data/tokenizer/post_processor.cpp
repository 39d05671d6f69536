#include "data/tokenizer/post_processor.h"

#include <algorithm>
#include <functional>
#include <map>

#include "data/tokenizer/unicode_classes.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data {
namespace {

using Json = nlohmann::json;

class Reading {
 public:
  Reading(const JsonReader& reader, const Vocabulary& vocabulary) : reader_(reader), vocabulary_(vocabulary) {}

  void read(const Json& part, const std::string& where) {
    struct Kind {
      std::vector<std::string> keys;
      void (Reading::*read)(const Json&, const std::string&);
    };
    static const std::map<std::string, Kind> kKinds = {
        {"BertProcessing", {{"sep", "cls"}, &Reading::bert}},
        {"ByteLevel", {{"add_prefix_space", "trim_offsets", "use_regex"}, &Reading::byte_level}},
        {"RobertaProcessing", {{"sep", "cls", "trim_offsets", "add_prefix_space"}, &Reading::roberta}},
        {"Sequence", {{"processors"}, &Reading::sequence}},
        {"TemplateProcessing", {{"single", "pair", "special_tokens"}, &Reading::of_template}},
    };
    const Kind& kind = reader_.kind_of(part, where, kKinds);
    reader_.require_known_keys(part, where, kind.keys);
    (this->*kind.read)(part, where);
  }

  PostProcessor result;

 private:
  TokenId known(const Json& value, const std::string& token) const {
    const TokenId id = reader_.id(value, token);
    if (vocabulary_.is_hole(id))
      reader_.refuse("post_processor names the token ", quoted(token), " with id ", id, ", which the vocabulary lacks");
    return id;
  }

  // ["[CLS]", 101]
  TokenId pair(const Json& part, const char* key, const std::string& where) const {
    const Json& entry = reader_.member(part, key, where);
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string())
      reader_.refuse(where, ".", key, " must be [token, id], got ", JsonReader::shown(entry));
    return known(entry[1], entry[0].get<std::string>());
  }

  // A part wraps what those before it have made.
  void wrap(const std::vector<TokenId>& before, const std::vector<TokenId>& behind) {
    result.prefix.insert(result.prefix.begin(), before.begin(), before.end());
    result.suffix.insert(result.suffix.end(), behind.begin(), behind.end());
  }

  void trim(const Json& part, const std::string& where) {
    const bool adds_space = reader_.boolean(part, "add_prefix_space", where, true);
    if (reader_.boolean(part, "trim_offsets", where, true)) result.trims.push_back(adds_space);
  }

  void bert(const Json& part, const std::string& where) {
    wrap({pair(part, "cls", where)}, {pair(part, "sep", where)});
  }
  void byte_level(const Json& part, const std::string& where) { trim(part, where); }
  void roberta(const Json& part, const std::string& where) {
    trim(part, where);
    bert(part, where);
  }
  void sequence(const Json& part, const std::string& where) {
    reader_.list(part, "processors", where, [&](const Json& entry, const std::string& place) {
      read(entry, place);
      return 0;
    });
  }

  void of_template(const Json& part, const std::string& where) {
    std::vector<TokenId> before, behind;
    int texts = 0;
    const Json& tokens = reader_.member(part, "special_tokens", where);
    reader_.list(part, "single", where, [&](const Json& entry, const std::string& place) {
      reader_.require_known_keys(entry, place, {"Sequence", "SpecialToken"});
      if (entry.contains("Sequence")) {
        if (reader_.choice(entry["Sequence"], "id", place, {"A"}) == "A") ++texts;
        return 0;
      }
      const std::string name = reader_.text(reader_.member(entry, "SpecialToken", place), "id", place);
      const Json& ids = reader_.member(reader_.member(tokens, name.c_str(), where + ".special_tokens"), "ids",
                                       where + ".special_tokens");
      if (!ids.is_array() || ids.size() > JsonReader::kMostParts)
        reader_.refuse(where, ".special_tokens.", name, ".ids must be an array of at most ", JsonReader::kMostParts,
                       " ids, got ", JsonReader::shown(ids));
      for (const Json& id : ids) (texts == 0 ? before : behind).push_back(known(id, name));
      return 0;
    });
    if (texts != 1) reader_.refuse(where, ".single must hold the text, $A, once; it does ", texts, " times");
    wrap(before, behind);
  }

  const JsonReader& reader_;
  const Vocabulary& vocabulary_;
};

}  // namespace

PostProcessor PostProcessor::read(const JsonReader& reader, const Json& part, const Vocabulary& vocabulary) {
  Reading reading(reader, vocabulary);
  if (!part.is_null()) reading.read(part, "post_processor");
  return reading.result;
}

PostProcessor::LooseSpan PostProcessor::loose(std::string_view token, TextSpan span) const {
  LooseSpan loose{span};
  if (trims.empty()) return loose;
  const auto is_space = [](Utf8Step step) {
    constexpr char32_t kSpaceOfAlphabet = 0x120;  // "Ġ"
    return step.code == kSpaceOfAlphabet || is_white_space(step);
  };
  for (std::string_view rest = token; !rest.empty() && is_space(utf8_step(rest)); ++loose.leading)
    rest.remove_prefix(utf8_step(rest).size);
  for (std::string_view rest = token; !rest.empty() && is_space(utf8_step_back(rest)); ++loose.trailing)
    rest.remove_suffix(utf8_step_back(rest).size);
  return loose;
}

TextSpan PostProcessor::trimmed(std::string_view text, const LooseSpan& loose, bool is_first) const {
  TextSpan span = loose.span;
  // As many characters of the text, whatever they are: a space may stand for another one.
  for (const bool adds_space : trims) {
    // One space before the first word was not in the text; more were.
    const bool was_added = (is_first || span.begin == 0) && adds_space && loose.leading == 1;
    for (int i = 0; i < loose.leading && !was_added && span.begin < span.end; ++i)
      span.begin += utf8_step(text.substr(span.begin)).size;
    std::uint32_t end = span.end;
    int left = loose.trailing;
    for (; left > 0 && end > 0; --left) end -= utf8_step_back(text.substr(0, end)).size;
    if (left == 0) span.end = std::max(end, span.begin);
  }
  return span;
}

std::optional<Truncation> Truncation::read(const JsonReader& reader, const Json& document) {
  const auto part = document.find("truncation");
  if (part == document.end() || part->is_null()) return std::nullopt;
  const std::string where = "truncation";
  reader.require_known_keys(*part, where, {"direction", "max_length", "strategy", "stride"});
  Truncation truncation;
  truncation.most = reader.count(*part, "max_length", where, 1, INT32_MAX);
  if (part->contains("direction"))
    truncation.keeps_end = reader.choice(*part, "direction", where, {"Left", "Right"}) == "Left";
  reader.choice(*part, "strategy", where, {"LongestFirst", "OnlyFirst"});  // one and the same for one text
  return truncation;
}

}  // namespace trireme::data
