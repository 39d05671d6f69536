#include "data/commands/encode_answers.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/stop.h"
#include "data/chat/answers.h"
#include "data/corpus/documents.h"
#include "data/corpus/encode.h"
#include "data/corpus/index.h"
#include "data/corpus/inputs.h"
#include "data/progress.h"
#include "data/tokenizer/tokenizer.h"

namespace trireme::data {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Tally {
  std::int64_t lines = 0, documents = 0, tokens = 0, answers = 0, rendered = 0;
};

struct Chunk : RowsOfSplits {
  std::array<Tally, 2> tallies{};
  void clear() {
    RowsOfSplits::clear();
    tallies = {};
  }
};

class AnswerEncoding {
 public:
  explicit AnswerEncoding(const EncodeOptions& options)
      : options_(options),
        of_(options.learn == "answers" ? Labels::Of::kAnswers : Labels::Of::kPreferences),
        tokenizer_(Tokenizer::load(options.tokenizer)),
        chat_files_(chat_files()),
        chat_(chat_template()),
        lines_(chat_, of_) {}

  void run() {
    std::vector<Input> inputs = find_inputs(options_.input, options_.stdin_format);
    std::vector<Input> validation_inputs = find_inputs(options_.validation_input, options_.stdin_format);
    CorpusWriter writer(options_.out, &tokenizer_, tokenizer_.vocabulary_size(), {of_, {}},
                        static_cast<std::uint64_t>(options_.shard_size) << 20);
    for (const auto& [name, text] : chat_files_) writer.keep(name, text);
    encode(std::move(inputs), options_.validation, "encoding", writer);
    if (!validation_inputs.empty()) encode(std::move(validation_inputs), 1, "encoding the validation set", writer);
    throw_if_stop_requested();
    // So that whoever serves what learns from this writes conversations likewise.
    if (uses_default()) writer.keep("chat_template.jinja", std::string(ChatTemplate::kDefaultTemplate));
    writer.finish();
    tell();
  }

 private:
  // Of a model's directory, or of a file alone.
  std::map<std::string, std::string> chat_files() const {
    const fs::path named = options_.chat_template;
    const fs::path folder = options_.chat_template.empty() ? fs::path(options_.tokenizer).parent_path() : named;
    std::map<std::string, std::string> files;
    if (!options_.chat_template.empty() && !fs::is_directory(named)) {
      files["chat_template.jinja"] = read_file(named);
      // Special tokens are those of the tokenizer's directory all the same.
      for (const char* const name : {"special_tokens_map.json", "tokenizer_config.json"})
        if (const fs::path path = fs::path(options_.tokenizer).parent_path() / name; fs::exists(path))
          files[name] = read_file(path);
      return files;
    }
    for (const std::string_view name : kChatFiles)
      if (const fs::path path = folder / name; fs::exists(path)) files[std::string(name)] = read_file(path);
    if (!options_.chat_template.empty() && files.empty())
      throw Error(ErrorCode::kNotFound, "--chat-template ", options_.chat_template,
                  " has neither chat_template.jinja nor tokenizer_config.json");
    return files;
  }

  ChatTemplate chat_template() const {
    const auto file = [&](const char* name) {
      const auto found = chat_files_.find(name);
      return found == chat_files_.end() ? std::nullopt : std::optional(found->second);
    };
    return ChatTemplate::parse({.tokenizer_config = file("tokenizer_config.json"),
                                .special_tokens_map = file("special_tokens_map.json"),
                                .chat_template = file("chat_template.jinja")},
                               options_.chat_template.empty() ? options_.tokenizer : options_.chat_template);
  }

  void encode(std::vector<Input> inputs, double validation, const char* what, CorpusWriter& writer) {
    const EncodingOptions encoding{options_.special_text == "plain" ? SpecialText::kPlain : SpecialText::kParse,
                                   options_.add_special_tokens};
    DocumentReader reader(std::move(inputs), options_.text_field);
    Progress progress(what, reader.bytes_in_all());
    encode_lines<Chunk>(
        reader, nullptr, threads_of(options_.threads),
        [&, storage = writer.storage(), labels = writer.label_storage()](
            std::string_view line, const std::function<std::string()>& place, Tokenizer::Session*, Chunk& chunk) {
          const std::vector<AnswerText> texts = lines_.texts(line, place);
          const Split split = is_for_validation(texts[0].text, validation) ? Split::kValidation : Split::kTraining;
          Tally& tally = chunk.tallies[static_cast<std::size_t>(split)];
          ++tally.lines;
          for (const AnswerText& text : texts) {
            const LabelledText made = encoded(text, tokenizer_, encoding);
            const auto learnt = std::ranges::count_if(made.labels, [](std::int64_t label) { return label >= 0; });
            // What comes first follows nothing, and is not learnt.
            if (made.ids.size() < 2 || learnt - (made.labels[0] >= 0 ? 1 : 0) == 0)
              throw Error(ErrorCode::kBadInput, place(), ": the answer has no token that follows another one");
            chunk.of(split).add(storage, labels.row(made), static_cast<std::int64_t>(text.text.size()));
            ++tally.documents;
            tally.tokens += static_cast<std::int64_t>(made.ids.size());
            tally.answers += learnt;
            tally.rendered += text.is_rendered;
          }
        },
        [&](Chunk& chunk, std::uint64_t bytes_taken) {
          throw_if_stop_requested();
          for (const Split split : kSplits) {
            writer.add(split, chunk.of(split));
            Tally& sum = tallies_[static_cast<std::size_t>(split)];
            const Tally& tally = chunk.tallies[static_cast<std::size_t>(split)];
            sum.lines += tally.lines;
            sum.documents += tally.documents;
            sum.tokens += tally.tokens;
            sum.answers += tally.answers;
            sum.rendered += tally.rendered;
          }
          progress.update(bytes_taken);
        });
  }

  bool uses_default() const { return chat_.is_default() && tallies_[0].rendered + tallies_[1].rendered > 0; }

  void tell() const {
    if (uses_default())
      log_warning(
          "there is no chat template with the tokenizer: messages are written as ChatML (<|im_start|>role ...)");
    Json json = {{"corpus", options_.out}, {"learn", options_.learn}};
    for (const Split split : kSplits) {
      const Tally& tally = tallies_[static_cast<std::size_t>(split)];
      json[std::string(split_name(split))] = {{"lines", tally.lines},
                                              {"documents", tally.documents},
                                              {"tokens", tally.tokens},
                                              {"answer_tokens", tally.answers}};
      if (!options_.json)
        std::cout << options_.out << " " << split_name(split) << ": " << tally.lines << " lines, " << tally.documents
                  << " documents, " << tally.tokens << " tokens, " << tally.answers << " of them answers\n";
    }
    if (options_.json) std::cout << json << "\n";
  }

  const EncodeOptions& options_;
  const Labels::Of of_;
  const Tokenizer tokenizer_;
  const std::map<std::string, std::string> chat_files_;
  const ChatTemplate chat_;
  const AnswerLines lines_;
  std::array<Tally, 2> tallies_{};
};

}  // namespace

void encode_answers(const EncodeOptions& options) { AnswerEncoding(options).run(); }

}  // namespace trireme::data
