#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "data/corpus/corpus.h"
#include "data/corpus/labels.h"

namespace trireme::data {

/// Tokens are checked in blocks of this many bytes, on first touch: large enough that a checksum costs nothing beside
/// the read, small enough that one random sample does not wait for a whole shard.
inline constexpr std::uint64_t kCorpusBlockBytes = std::uint64_t{1} << 20;

inline constexpr std::array kSplits = {Split::kTraining, Split::kValidation};
/// "training" or "validation": the names in index.json, in file names and of the program's options.
std::string_view split_name(Split split);
/// "training-00000.h5"
std::string shard_file_name(Split split, std::size_t number);

/// One HDF5 file of a split, as index.json describes it. Offsets are places in the file, so that a reader needs no
/// HDF5.
struct ShardEntry {
  std::string file;  ///< "training-00000.h5": always split and number, so an index cannot name a file elsewhere
  std::uint64_t bytes = 0;
  std::uint64_t tokens = 0, documents = 0, text_bytes = 0;
  std::uint64_t element_bytes = 2;     ///< 2 (uint16) or 4 (uint32)
  std::uint64_t tokens_offset = 0;     ///< of `tokens`: tokens * element_bytes bytes
  std::uint64_t documents_offset = 0;  ///< of `document-offsets`: documents + 1 numbers of 8 bytes
  std::string checksum;                ///< XXH3-128 of the whole file; those below are of parts of it
  std::string documents_checksum;
  std::vector<std::string> block_checksums;

  std::uint64_t token_bytes() const { return tokens * element_bytes; }
  std::uint64_t document_bytes() const { return (documents + 1) * 8; }
};

struct SplitEntry {
  std::uint64_t tokens = 0, documents = 0, text_bytes = 0;
  std::string content_hash;  ///< XXH3-128 of the token bytes of all shards in order, however they are cut
  std::vector<ShardEntry> shards;
};

/// A file beside the shards.
struct CompanionEntry {
  std::uint64_t bytes = 0;
  std::string checksum;  ///< XXH3-128
};

/// What a chat template is made of, by the names that models have it under; a corpus of conversations keeps what it was
/// made with.
inline constexpr std::array<std::string_view, 3> kChatFiles = {"chat_template.jinja", "special_tokens_map.json",
                                                               "tokenizer_config.json"};

/// What index.json holds.
struct CorpusIndex {
  std::uint64_t vocabulary_size = 0;  ///< all ids, those of labels too
  std::uint64_t token_ids = 0;        ///< those of tokens; the same where there are no labels
  Labels labels;
  std::uint64_t end_of_text = 0;
  std::uint64_t tokenizer_bytes = 0;  ///< 0: none; the ids came as such
  std::string tokenizer_hash;
  std::map<std::string, CompanionEntry> companions;  ///< some of kChatFiles
  std::array<SplitEntry, 2> splits;

  LabelStorage label_storage() const { return {static_cast<std::int64_t>(token_ids), labels}; }
  TokenStorage storage() const { return {vocabulary_size, end_of_text}; }
  SplitEntry& split(Split which) { return splits[static_cast<std::size_t>(which)]; }
  const SplitEntry& split(Split which) const { return splits[static_cast<std::size_t>(which)]; }
};

/// The bytes of index.json, its own checksum included.
std::string index_to_json(const CorpusIndex& index);

/// Checks the checksum, then that every number fits the others, so that readers may multiply and map without care.
/// @param origin  named in messages
/// @throws Error kCorrupt; kBadInput for a format version that is newer than this program
CorpusIndex index_from_json(std::string_view json, const std::string& origin);

/// @throws Error kNotFound, kCorrupt, kIo, kBadInput
CorpusIndex read_corpus_index(const std::filesystem::path& directory);

/// tokenizer.json of a corpus, checked against the index; empty where there is none. @throws Error kNotFound, kCorrupt
std::string read_corpus_tokenizer(const std::filesystem::path& directory, const CorpusIndex& index);
/// The same of its companions, by name.
std::map<std::string, std::string> read_corpus_companions(const std::filesystem::path& directory,
                                                          const CorpusIndex& index);

}  // namespace trireme::data
