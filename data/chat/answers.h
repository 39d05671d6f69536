#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/chat/chat_template.h"
#include "data/corpus/labels.h"
#include "data/tokenizer/tokenizer.h"

namespace trireme::data {

/// A text, and which of its bytes a model is to learn to give.
struct AnswerText {
  std::string text;
  std::vector<std::pair<std::size_t, std::size_t>> answers;  ///< bytes [from, to), in order
  bool is_rendered = false;  ///< a template made it: it has its special tokens, the end of answers too
  bool drops_space = false;  ///< white space behind the last special token of an answer is none of it
};

/// Lines of JSON that hold answers, as texts:
///
///     {"messages": [{"role": ..., "content": ...}, ...]}          what assistants say is learnt, unless "weight" is 0
///     {"prompt": "2 + 2 =", "completion": " 4"}                   two texts, or two lists of messages
///     {"prompt": ..., "chosen": ..., "rejected": ...}             preferences likewise; "prompt" may be left out
///
/// "tools" and "chat_template_kwargs" go to the template. Where that marks what an assistant gives with
/// {% generation %}, it is this; else what an answer adds to the template's prompt for it. A template that writes
/// earlier answers otherwise once later messages follow (without their reasoning, say) gives a text for each answer,
/// each as it stood when it was given.
class AnswerLines {
 public:
  /// @param of  kAnswers or kPreferences
  AnswerLines(const ChatTemplate& chat, Labels::Of of) : chat_(chat), of_(of) {}

  /// The texts of a line; of preferences two, the preferred one first.
  /// @param place  names the line, for messages
  /// @throws Error kBadInput  no such line, one without an answer, or one that the template refuses
  std::vector<AnswerText> texts(std::string_view line, const std::function<std::string()>& place) const;

 private:
  const ChatTemplate& chat_;
  Labels::Of of_;
};

/// Its ids, and with each one that holds any byte of an answer, itself as label. What a template did not make is put
/// between the tokenizer's own tokens for a text, where options say so, and ends with the end of text, which is learnt.
LabelledText encoded(const AnswerText& text, const Tokenizer& tokenizer, const EncodingOptions& options);

}  // namespace trireme::data
