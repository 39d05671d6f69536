// The tokenizer for tokenizer_oracle.py and the tokenizer's benchmark. Documents come in a file, each as a 32-bit
// little-endian length and its bytes, so that they may hold newlines and anything else.
//
//   tokenizer_dump train VOCABULARY_SIZE MIN_FREQUENCY DOCUMENTS     tokenizer.json on stdout
//   tokenizer_dump encode|encode-plain TOKENIZER DOCUMENTS           ids as a JSON array a document, a line each
//   tokenizer_dump spans TOKENIZER DOCUMENTS       32-bit numbers: for each document how many tokens, for each of those
//   its
//                                                  id and first and last byte; "truncation" of the file holds
//   tokenizer_dump decode TOKENIZER DOCUMENTS      fails unless decode(encode(x)) == x for each
//   tokenizer_dump text|text-skipped TOKENIZER IDS     ids as a JSON array a line; for each the text, whole and as a
//                                                      stream of tokens gives it, as a JSON array a line
//   tokenizer_dump time TOKENIZER DOCUMENTS ROUNDS     seconds for each round of encoding, a line each
//   tokenizer_dump load TOKENIZER ROUNDS               seconds for each round of loading
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "data/tokenizer/tokenizer.h"
#include "data/tokenizer/train_tokenizer.h"

namespace trireme::data {
namespace {

std::vector<std::string_view> documents_of(std::string_view content) {
  std::vector<std::string_view> documents;
  while (!content.empty()) {
    std::uint32_t size = 0;
    if (content.size() >= sizeof size) std::memcpy(&size, content.data(), sizeof size);
    if (content.size() < sizeof size + size) throw Error(ErrorCode::kBadInput, "the documents are cut short");
    documents.push_back(content.substr(sizeof size, size));
    content.remove_prefix(sizeof size + size);
  }
  return documents;
}

void print(const std::vector<TokenId>& ids) {
  std::string line = "[";
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (i > 0) line += ',';
    line += std::to_string(ids[i]);
  }
  std::cout << line << "]\n";
}

void print_spans(const Encoding& encoding) {
  std::vector<std::uint32_t> row = {static_cast<std::uint32_t>(encoding.ids.size())};
  for (std::size_t i = 0; i < encoding.ids.size(); ++i)
    row.insert(row.end(),
               {static_cast<std::uint32_t>(encoding.ids[i]), encoding.spans.at(i).begin, encoding.spans.at(i).end});
  std::cout.write(reinterpret_cast<const char*>(row.data()), static_cast<std::streamsize>(row.size() * sizeof row[0]));
}

void print_texts(const Tokenizer& tokenizer, const std::string& lines, bool skip_special) {
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    const auto ids = nlohmann::json::parse(line).get<std::vector<TokenId>>();
    Tokenizer::DecodeStream stream(tokenizer, skip_special);
    std::string streamed;
    for (const TokenId id : ids) {
      const std::string more = stream.push(id);
      if (!is_utf8(more)) throw Error(ErrorCode::kBug, "a stream gave half a character");
      streamed += more;
    }
    streamed += stream.finish();
    std::cout << nlohmann::json{well_formed_utf8(tokenizer.decode(ids, skip_special)), streamed}.dump() << "\n";
  }
}

template <class Work>
void time(int rounds, Work&& work) {
  for (; rounds > 0; --rounds) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    std::cout << std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() << "\n";
  }
}

int run(const std::vector<std::string>& arguments) {
  const std::string mode = arguments.at(1);
  if (mode == "load") {
    time(std::stoi(arguments.at(3)), [&] { Tokenizer::load(arguments.at(2)); });
    return kExitDone;
  }
  const std::string content = read_file(arguments.at(mode == "train" ? 4 : 3));
  if (mode.starts_with("text")) {
    print_texts(Tokenizer::load(arguments.at(2)), content, mode == "text-skipped");
    return kExitDone;
  }
  const auto documents = documents_of(content);
  if (mode == "train") {
    WordCounts words;
    for (const auto document : documents) words.add(document);
    std::cout << learn_tokenizer(
        {.vocabulary_size = std::stoll(arguments.at(2)), .min_frequency = std::stoll(arguments.at(3))}, words);
    return kExitDone;
  }
  const Tokenizer tokenizer = Tokenizer::load(arguments.at(2));
  if (mode == "time") {
    time(std::stoi(arguments.at(4)), [&] {
      for (const auto document : documents) tokenizer.encode(document);
    });
    return kExitDone;
  }
  for (std::size_t i = 0; i < documents.size(); ++i) {
    if (mode == "spans") {
      print_spans(tokenizer.encode_with_spans(documents[i], {.truncate = true}));
      if (tokenizer.encode(documents[i], {.truncate = true}) !=
          tokenizer.encode_with_spans(documents[i], {.truncate = true}).ids)
        throw Error(ErrorCode::kBug, "document ", i, " has other ids without spans");
      continue;
    }
    const auto special = mode == "encode-plain" ? SpecialText::kPlain : SpecialText::kParse;
    const auto ids = tokenizer.encode(documents[i], {.special = special});
    if (mode != "decode")
      print(ids);
    else if (tokenizer.decode(ids) != documents[i])
      throw Error(ErrorCode::kBug, "document ", i, " does not decode to itself");
  }
  return kExitDone;
}

}  // namespace
}  // namespace trireme::data

int main(int argc, char** argv) {
  try {
    std::ios::sync_with_stdio(false);
    return trireme::data::run({argv, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return trireme::kExitFailed;
  }
}
