#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/corpus/labels.h"
#include "data/corpus/token_row.h"
#include "data/tokenizer/tokenizer.h"

namespace trireme::data {

enum class Split { kTraining, kValidation };

/// Writes a corpus: a directory of HDF5 shards of token ids with an index. It is built under a temporary name beside
/// `directory` and renamed by finish(), so a directory of that name is whole; without finish(), and after any error,
/// nothing is left. Format: docs/formats/corpus.md.
///
/// Memory: 1 MiB a split and 8 bytes a document of its unfinished shard.
class CorpusWriter {
 public:
  static constexpr std::uint64_t kShardBytes = std::uint64_t{512} << 20;

  /// @param shard_bytes  of ids that a shard holds at most; a document is never cut, so a longer one is a shard alone
  /// @throws Error kBadInput when `directory` exists or the tokenizer has no end-of-text token, kIo
  CorpusWriter(std::filesystem::path directory, const Tokenizer& tokenizer, std::uint64_t shard_bytes = kShardBytes);
  /// Of labelled texts, which add() takes as LabelStorage::row() gives them.
  /// @param tokenizer  null: the ids come as such, from 0 to token_ids - 1
  CorpusWriter(std::filesystem::path directory, const Tokenizer* tokenizer, std::int64_t token_ids, Labels labels,
               std::uint64_t shard_bytes = kShardBytes);
  /// Keeps a file of kChatFiles.
  void keep(const std::string& name, const std::string& text);
  ~CorpusWriter();
  CorpusWriter(const CorpusWriter&) = delete;
  CorpusWriter& operator=(const CorpusWriter&) = delete;

  /// Adds a document's ids; the end-of-text id is appended. @param text_bytes  length of its text
  /// @throws Error kIo; kBadInput for an id outside of the vocabulary
  void add(Split split, std::span<const TokenId> ids, std::int64_t text_bytes);
  /// The same for many documents, which other threads may have put into a row by storage(). @throws Error kIo
  void add(Split split, const TokenRow& row);
  TokenStorage storage() const;
  LabelStorage label_storage() const;
  /// Writes what is left, syncs it and gives it its name. @throws Error kIo; kBadInput when no document is for training
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// One split of a corpus, seen as one row of tokens: all documents in order, each followed by the end-of-text id.
/// Shards are mapped into memory, so reads come straight from page cache; each block of a shard is checked against its
/// checksum when it is first read. Safe to use from many threads.
class Corpus {
 public:
  /// Reads the index and the sizes of the split's shards; costs no read of tokens. A split without documents opens too.
  /// @throws Error kNotFound, kCorrupt, naming the file
  static Corpus open(const std::filesystem::path& directory, Split split);
  Corpus(Corpus&&) noexcept;
  Corpus& operator=(Corpus&&) noexcept;
  ~Corpus();

  std::int64_t tokens() const;
  std::int64_t documents() const;
  std::int64_t text_bytes() const;
  /// Ids of tokens; those of labels lie behind.
  std::int64_t vocabulary_size() const;
  const Labels& labels() const;
  /// The tokenizer.json that the ids were made with (kept in the corpus) and its hash; empty where they came as such.
  const std::string& tokenizer_json() const;
  const std::string& tokenizer_hash() const;
  /// Files of a chat template, by name: what conversations were made into text with.
  const std::map<std::string, std::string>& companions() const;
  /// Names this content: changes when any token of the split does, and not with the way it is cut into shards.
  const std::string& content_hash() const;

  /// Tokens [begin, begin + out.size()) of the row; begin + out.size() is at most tokens().
  /// @throws Error kCorrupt naming shard and block, also when the file was cut or grown since open()
  void read(std::int64_t begin, std::span<TokenId> out) const;
  /// Where document `index` lies in the row: [first, second), end-of-text included.
  std::pair<std::int64_t, std::int64_t> document(std::int64_t index) const;
  /// Document `index` of a corpus with labels. @throws Error kCorrupt
  LabelledText labelled(std::int64_t index) const;

 private:
  struct Impl;
  explicit Corpus(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Everything that is wrong with a corpus directory, a line each; empty when it is sound. Reads every byte.
std::vector<std::string> verify_corpus(const std::filesystem::path& directory);

}  // namespace trireme::data
