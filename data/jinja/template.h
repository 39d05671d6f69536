#pragma once
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "data/jinja/budget.h"
#include "data/jinja/interpreter.h"

namespace trireme::data::jinja {

/// A template refused what it was given: it called raise_exception. Its message is meant for whoever wrote the
/// messages.
class TemplateRaised : public Error {
 public:
  TemplateRaised(const std::string& origin, int line, const std::string& message)
      : Error(ErrorCode::kBadInput, origin, ": line ", line, ": the template refuses this: ", message),
        message_(on_one_line(message)) {}
  /// The template's own words.
  const std::string& message() const noexcept { return message_; }

 private:
  std::string message_;
};

/// A template of Jinja, rendered byte for byte as jinja2 3.1 does in the environment that Hugging Face's transformers
/// makes for chat templates: a sandbox in which lists and dicts cannot change, trim_blocks, lstrip_blocks, break and
/// continue, {% generation %}, and the functions raise_exception and strftime_now. Values have Python's types, rules
/// and looks.
///
/// Source: the Jinja documentation, "Template Designer Documentation" (3.1), and transformers' chat_template_utils.
///
/// Refused by name, with the line: the tags block, extends, include, import, from and autoescape; the filters
/// filesizeformat, pprint, random, striptags, urlize, wordwrap and xmlattr; str.format, str.encode and a few more
/// methods; integers beyond 64 bits; "\N{name}" and lone surrogates in strings. A filter or test that does not exist is
/// refused at once, where jinja2 waits until an "if" gets to it.
///
/// One object may render in several threads at once.
///
/// Templates and what they are given may come from strangers: see Budget. Nothing outside of the variables can be
/// reached.
class Template {
 public:
  /// @param source  UTF-8, up to kMaxTemplateBytes
  /// @param origin  named in messages: a file
  /// @throws Error kBadInput  it is no template, or it asks for what is not supported
  static Template parse(const std::string& source, const std::string& origin);

  struct Rendered {
    std::string text;
    /// Bytes [from, to) of `text` that {% generation %} blocks gave: what an assistant said. Where such a block stands
    /// in a macro or another block that collects text, it counts from what was written before that, as in transformers.
    std::vector<std::pair<std::size_t, std::size_t>> generated;
  };
  /// @param variables  an object; keys keep their order. Its texts are UTF-8.
  /// @param clock      for strftime_now, in local time
  /// @throws TemplateRaised    the template called raise_exception
  /// @throws Error kBadInput   it failed, or its budget is spent
  Rendered render(const nlohmann::ordered_json& variables, const Budget& budget = {},
                  const Clock& clock = std::chrono::system_clock::now) const;

  const std::string& source() const { return source_; }

 private:
  Template(std::string source, std::string origin) : source_(std::move(source)), origin_(std::move(origin)) {}

  std::string source_, origin_;
  std::shared_ptr<const Syntax> syntax_;
};

}  // namespace trireme::data::jinja
