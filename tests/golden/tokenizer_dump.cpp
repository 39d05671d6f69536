// The tokenizer for tokenizer_oracle.py and the tokenizer's benchmark. Documents come in a file, each as a 32-bit
// little-endian length and its bytes, so that they may hold newlines and anything else.
//
//   tokenizer_dump train VOCABULARY_SIZE MIN_FREQUENCY DOCUMENTS     tokenizer.json on stdout
//   tokenizer_dump encode|encode-plain TOKENIZER DOCUMENTS           ids as a JSON array a document, a line each
//   tokenizer_dump decode TOKENIZER DOCUMENTS                        fails unless decode(encode(x)) == x for each
//   tokenizer_dump time TOKENIZER DOCUMENTS ROUNDS                   seconds for each round of encoding, a line each
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "core/base/error.h"
#include "core/base/files.h"
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

int run(const std::vector<std::string>& arguments) {
  const std::string mode = arguments.at(1);
  const std::string content = read_file(arguments.at(mode == "train" ? 4 : 3));
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
    for (int round = std::stoi(arguments.at(4)); round > 0; --round) {
      const auto begin = std::chrono::steady_clock::now();
      for (const auto document : documents) tokenizer.encode(document);
      std::cout << std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() << "\n";
    }
    return kExitDone;
  }
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const auto special = mode == "encode-plain" ? SpecialText::kPlain : SpecialText::kParse;
    const auto ids = tokenizer.encode(documents[i], special);
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
