#pragma once
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "data/corpus/corpus.h"

/// What tests of this folder share.
namespace trireme::data::testing {

/// A new directory that goes with its owner.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    static std::atomic<int> count{0};
    path_ = std::filesystem::temp_directory_path() /
            ("trireme-data-test-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directory(path_);
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A tokenizer.json without merges: 256 bytes, "<|endoftext|>" as id 256, and `unused` tokens that no text gives.
inline std::string bytes_tokenizer_json(int unused = 0) {
  nlohmann::json vocabulary = nlohmann::json::object();  // not ordered_json: that looks keys up one by one
  const auto letter = [](int code) {                     // UTF-8 of a code point below U+0800
    if (code < 0x80) return std::string(1, static_cast<char>(code));
    return std::string{static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
  };
  // GPT-2's byte alphabet: printable bytes stand for themselves, the others for U+0100 and up, in order.
  int next = 256, id = 0;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    vocabulary[letter(printable ? byte : next++)] = id++;
  }
  for (int i = 0; i < unused; ++i) vocabulary["unused" + std::to_string(i)] = 257 + i;
  const nlohmann::json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  const nlohmann::json json = {{"version", "1.0"},
                               {"truncation", nullptr},
                               {"padding", nullptr},
                               {"added_tokens",
                                {{{"id", 256},
                                  {"content", "<|endoftext|>"},
                                  {"single_word", false},
                                  {"lstrip", false},
                                  {"rstrip", false},
                                  {"normalized", false},
                                  {"special", true}}}},
                               {"normalizer", nullptr},
                               {"pre_tokenizer", byte_level},
                               {"post_processor", nullptr},
                               {"decoder", byte_level},
                               {"model",
                                {{"type", "BPE"},
                                 {"dropout", nullptr},
                                 {"unk_token", nullptr},
                                 {"continuing_subword_prefix", nullptr},
                                 {"end_of_word_suffix", nullptr},
                                 {"fuse_unk", false},
                                 {"byte_fallback", false},
                                 {"vocab", vocabulary},
                                 {"merges", nlohmann::json::array()}}}};
  return json.dump();
}

inline Tokenizer bytes_tokenizer(int unused = 0) { return Tokenizer::parse(bytes_tokenizer_json(unused), "test"); }

/// A token of the test corpora below: any pure function of its place will do.
inline TokenId token_at(std::int64_t place) { return static_cast<TokenId>((place * 2654435761 >> 7) % 256); }

/// A training split of one document whose token i is token_at(i), `tokens` in all with the end of text.
inline Corpus one_document_corpus(const std::filesystem::path& directory, std::int64_t tokens) {
  CorpusWriter writer(directory, bytes_tokenizer());
  std::vector<TokenId> ids;
  for (std::int64_t i = 0; i + 1 < tokens; ++i) ids.push_back(token_at(i));
  writer.add(Split::kTraining, ids, tokens - 1);
  writer.finish();
  return Corpus::open(directory, Split::kTraining);
}

}  // namespace trireme::data::testing
