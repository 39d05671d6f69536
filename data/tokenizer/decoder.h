#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/json_reader.h"

namespace trireme::data {

/// Makes text of tokens: tokenizer.json's decoder, as a chain of stages that each take a token and hand texts on.
class Decoder {
 public:
  /// A token on its way to text.
  struct Token {
    std::string_view text;
    bool is_added = false;  ///< an added token's own text, and none of the byte alphabet's
  };
  using Sink = std::function<void(const Token&)>;

  /// What a stage remembers of one text.
  class Stage {
   public:
    virtual ~Stage() = default;
    virtual void push(const Token& token, const Sink& out) = 0;
    virtual void finish(const Sink& out) { static_cast<void>(out); }
  };

  /// How a stage is begun.
  /// @param is_stream  text is shown as it grows: what waits for the rest of the tokens only to find out whether it
  ///                   is well-formed is given as soon as it is
  using MakeStage = std::function<std::unique_ptr<Stage>(bool is_stream)>;

  /// @param part  null joins tokens with spaces
  static Decoder make(const JsonReader& reader, const nlohmann::json& part);

  /// One text.
  class Run {
   public:
    Run(const Decoder& decoder, bool is_stream);
    /// Appends to `bytes`.
    void push(const Token& token, std::string& bytes);
    void finish(std::string& bytes);

   private:
    void hand_on(std::size_t stage, const Token& token, std::string& bytes);

    std::vector<std::unique_ptr<Stage>> stages_;
  };

 private:
  std::vector<MakeStage> stages_;
};

}  // namespace trireme::data
