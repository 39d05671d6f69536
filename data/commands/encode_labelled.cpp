#include "data/commands/encode_labelled.h"

#include <array>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "core/base/error.h"
#include "core/base/stop.h"
#include "core/base/text.h"
#include "data/corpus/documents.h"
#include "data/corpus/encode.h"
#include "data/corpus/index.h"
#include "data/corpus/inputs.h"
#include "data/corpus/labelled_line.h"
#include "data/progress.h"
#include "data/tokenizer/tokenizer.h"

namespace trireme::data {
namespace {

using Json = nlohmann::ordered_json;

class LabelledEncoding {
 public:
  explicit LabelledEncoding(const EncodeOptions& options)
      : options_(options),
        fields_{options.labels == "texts" ? Labels::Of::kTexts : Labels::Of::kTokens, options.text_field,
                options.label_field.empty() ? (options.labels == "texts" ? "label" : "labels") : options.label_field},
        encoding_{options.special_text == "plain" ? SpecialText::kPlain : SpecialText::kParse,
                  options.add_special_tokens} {
    if (!options.tokenizer.empty()) tokenizer_.emplace(Tokenizer::load(options.tokenizer));
    token_ids_ = tokenizer_ ? tokenizer_->vocabulary_size() : options.vocabulary;
  }

  void run() {
    // All that is named must be there before the first hour is spent on it.
    std::vector<Input> inputs = find_inputs(options_.input, options_.stdin_format);
    std::vector<Input> validation_inputs = find_inputs(options_.validation_input, options_.stdin_format);
    const LabelNames names = options_.label_names.empty() ? found_names() : LabelNames(options_.label_names);
    CorpusWriter writer(options_.out, tokenizer_ ? &*tokenizer_ : nullptr, token_ids_, {fields_.of, names.names()},
                        static_cast<std::uint64_t>(options_.shard_size) << 20);
    encode(std::move(inputs), options_.validation, "encoding", names, writer);
    if (!validation_inputs.empty())
      encode(std::move(validation_inputs), 1, "encoding the validation set", names, writer);
    throw_if_stop_requested();
    writer.finish();
    tell(names);
  }

 private:
  LabelNames found_names() const {
    for (const auto* list : {&options_.input, &options_.validation_input})
      for (const Input& input : find_inputs(*list, options_.stdin_format))
        if (!input.bytes)
          throw Error(ErrorCode::kUsage, "--label-names is due beside ", input.name,
                      ", which cannot be read twice to find them");
    std::set<std::string> found;
    for (const auto* list : {&options_.input, &options_.validation_input}) {
      if (list->empty()) continue;
      DocumentReader reader(find_inputs(*list, options_.stdin_format), options_.text_field);
      struct Names {
        std::set<std::string> of;
        void clear() { of.clear(); }
      };
      each_line<Names>(
          reader,
          [&](const LabelledLine& line, const auto&, Tokenizer::Session*, Names& names) {
            for (const auto& label : line.labels)
              if (label) names.of.insert(*label);
          },
          [&](Names& names, std::uint64_t) {
            found.merge(names.of);
            if (found.size() > Labels::kMost)
              throw Error(ErrorCode::kBadInput, "\"", fields_.label, "\" has more than ", Labels::kMost,
                          " different values; is it the label?");
          });
    }
    return LabelNames::found({found.begin(), found.end()});
  }

  // each(line, place, session, result) on any thread; take(result, bytes taken) on this one, in order.
  template <class Result, class Each, class Take>
  void each_line(DocumentReader& reader, Each each, Take take) const {
    encode_lines<Result>(
        reader, tokenizer_ ? &*tokenizer_ : nullptr, threads_of(options_.threads),
        [&](std::string_view text, const auto& place, Tokenizer::Session* session, Result& result) {
          each(LabelledLine::parse(text, fields_, place), place, session, result);
        },
        [&](Result& result, std::uint64_t bytes_taken) {
          throw_if_stop_requested();
          take(result, bytes_taken);
        });
  }

  void encode(std::vector<Input> inputs, double validation, const char* what, const LabelNames& names,
              CorpusWriter& writer) {
    DocumentReader reader(std::move(inputs), options_.text_field);
    Progress progress(what, reader.bytes_in_all());
    each_line<RowsOfSplits>(
        reader,
        [&, storage = writer.storage(), labels = writer.label_storage()](
            const LabelledLine& line, const auto& place, Tokenizer::Session* session, RowsOfSplits& rows) {
          const LabelledText text = encoded(line, place, session, names);
          std::string key = line.text;
          if (line.ids) key.assign(reinterpret_cast<const char*>(text.ids.data()), text.ids.size() * sizeof(TokenId));
          const Split split = is_for_validation(key, validation) ? Split::kValidation : Split::kTraining;
          rows.of(split).add(storage, labels.row(text), static_cast<std::int64_t>(line.text.size()));
        },
        [&](RowsOfSplits& rows, std::uint64_t bytes_taken) {
          for (const Split split : kSplits) {
            const TokenRow& row = rows.of(split);
            writer.add(split, row);
            texts_[static_cast<std::size_t>(split)] += row.documents().size();
          }
          progress.update(bytes_taken);
        });
  }

  LabelledText encoded(const LabelledLine& line, const std::function<std::string()>& place, Tokenizer::Session* session,
                       const LabelNames& names) const {
    LabelledText text;
    const auto number = [&](const std::optional<std::string>& label) {
      return label ? names.number_of(*label, place) : -1;
    };
    if (line.ids) {
      text.ids = *line.ids;
      for (const TokenId id : text.ids)
        if (id >= token_ids_)
          throw Error(ErrorCode::kBadInput, place(), ": the token ", id, " lies outside of the vocabulary of ",
                      token_ids_);
      for (const auto& label : line.labels) text.labels.push_back(number(label));
      return text;
    }
    if (!session) throw Error(ErrorCode::kBadInput, place(), ": text needs --tokenizer; only \"token_ids\" go without");
    if (fields_.of == Labels::Of::kTexts) {
      session->encode_to(line.text, text.ids, encoding_);
      text.labels.push_back(number(line.labels[0]));
    } else {
      // The first token of a word has its label; what comes around the text has none.
      const auto around = [&](std::span<const TokenId> ids) {
        if (!encoding_.add_special_tokens) return;
        text.ids.insert(text.ids.end(), ids.begin(), ids.end());
        text.labels.resize(text.ids.size(), -1);
      };
      around(tokenizer_->prefix());
      for (std::size_t i = 0; i < line.words.size(); ++i) {
        const std::size_t before = text.ids.size();
        session->encode_to((i > 0 ? " " : "") + line.words[i], text.ids,
                           {.special = encoding_.special, .add_special_tokens = false});
        text.labels.resize(text.ids.size(), -1);
        if (text.ids.size() > before)
          text.labels[before] = number(line.labels[i]);
        else if (line.labels[i])
          throw Error(ErrorCode::kBadInput, place(), ": word ", i + 1, " has the label '",
                      one_line(*line.labels[i], 80), "' and no token");
      }
      around(tokenizer_->suffix());
    }
    if (text.ids.empty()) throw Error(ErrorCode::kBadInput, place(), ": the text is empty, and a label needs one");
    return text;
  }

  void tell(const LabelNames& names) const {
    if (options_.json) {
      std::cout << Json{{"corpus", options_.out},
                        {"labels", names.names()},
                        {"training", {{"documents", texts_[0]}}},
                        {"validation", {{"documents", texts_[1]}}}}
                       .dump(-1, ' ', false, Json::error_handler_t::replace)
                << "\n";
      return;
    }
    std::cout << options_.out << ": " << texts_[0] << " texts for training, " << texts_[1] << " for validation, with "
              << names.names().size() << " labels: " << one_line(join(names.names(), ", "), 200) << "\n";
  }

  const EncodeOptions& options_;
  const LabelledFields fields_;
  const EncodingOptions encoding_;
  std::optional<Tokenizer> tokenizer_;
  std::int64_t token_ids_ = 0;
  std::array<std::uint64_t, 2> texts_{};
};

}  // namespace

void encode_labelled(const EncodeOptions& options) { LabelledEncoding(options).run(); }

}  // namespace trireme::data
