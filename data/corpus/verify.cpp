#include <algorithm>
#include <optional>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/hdf5/hdf5.h"
#include "data/corpus/corpus.h"
#include "data/corpus/index.h"
#include "data/corpus/shard.h"

namespace trireme::data {
namespace {

class Verification {
 public:
  explicit Verification(fs::path directory) : directory_(std::move(directory)) {}

  std::vector<std::string> run() {
    attempt([&] { index_ = read_corpus_index(directory_); });
    if (!index_) return std::move(problems_);
    attempt([&] { check_tokenizer(); });
    attempt([&] { read_corpus_companions(directory_, *index_); });
    for (const Split which : kSplits) check_split(which);
    attempt([&] { check_names(); });
    return std::move(problems_);
  }

 private:
  // Notes what is wrong and goes on: one damaged part must not hide the next.
  template <class Check>
  bool attempt(Check check) {
    try {
      check();
      return true;
    } catch (const std::exception& error) {
      problems_.emplace_back(error.what());
      return false;
    }
  }

  void check_tokenizer() {
    if (index_->tokenizer_bytes == 0) return;
    const fs::path path = directory_ / "tokenizer.json";
    const Tokenizer tokenizer = Tokenizer::parse(read_corpus_tokenizer(directory_, *index_), path.string());
    if (static_cast<std::uint64_t>(tokenizer.vocabulary_size()) != index_->token_ids)
      throw Error(ErrorCode::kCorrupt, path.string(), " has ", tokenizer.vocabulary_size(), " tokens; the index says ",
                  index_->token_ids);
  }

  void check_split(Split which) {
    const SplitEntry& split = index_->split(which);
    Xxh3Stream content;
    bool sound = true;
    for (const ShardEntry& entry : split.shards)
      sound &= attempt([&] {
        const Shard shard(directory_, entry, index_->vocabulary_size);
        if (check_shard(shard)) {
          content.update(shard.token_bytes().data(), shard.token_bytes().size());
        } else {
          sound = false;
        }
      });
    if (sound && content.hex128() != split.content_hash)
      problems_.push_back((directory_ / "index.json").string() + " is damaged: the content hash of split " +
                          std::string(split_name(which)) + " does not match its shards");
  }

  bool check_shard(const Shard& shard) {
    bool sound = true;
    for (std::uint64_t block = 0; block < shard.entry().block_checksums.size(); ++block)
      sound &= attempt([&] { shard.check_block(block); });
    sound &= attempt([&] { shard.check_documents(); });
    if (!sound) return false;
    // Only the file's own structure is left: HDF5's headers and attributes, which readers do not use.
    const MappedFile& file = shard.file();
    file.will_need(0, file.size());
    if (xxh3_128_hex(file.data(), file.size()) != shard.entry().checksum) {
      problems_.push_back(file.path().string() +
                          " is damaged: bytes outside of its datasets do not match its checksum");
      return false;
    }
    return attempt([&] { check_structure(shard); }) && attempt([&] { check_document_ends(shard); });
  }

  void check_structure(const Shard& shard) {
    const ShardEntry& entry = shard.entry();
    const hdf5::File file = hdf5::File::open(shard.file().path());
    const hdf5::Type type = entry.element_bytes == 2 ? hdf5::Type::kUint16 : hdf5::Type::kUint32;
    if (file.type("tokens") != type || file.shape("tokens") != std::vector<std::uint64_t>{entry.tokens} ||
        file.offset("tokens") != entry.tokens_offset || file.type("document-offsets") != hdf5::Type::kUint64 ||
        file.shape("document-offsets") != std::vector<std::uint64_t>{entry.documents + 1} ||
        file.offset("document-offsets") != entry.documents_offset)
      throw Error(ErrorCode::kCorrupt, shard.file().path().string(), " has other datasets than the index says");
  }

  void check_document_ends(const Shard& shard) {
    for (std::uint64_t i = 0; i < shard.entry().documents; ++i) {
      const auto [begin, end] = shard.document(i);
      TokenId last = 0;
      shard.read(end - 1, std::span(&last, 1));
      if (index_->labels.any()) {
        std::vector<TokenId> row(end - 1 - begin);
        shard.read(begin, row);
        index_->label_storage().text(std::move(row), shard.file().path().string());
      }
      if (static_cast<std::uint64_t>(last) != index_->end_of_text)
        throw Error(ErrorCode::kCorrupt, shard.file().path().string(), " is damaged: document ", i, " ends with token ",
                    last, ", not with the end of text, ", index_->end_of_text);
    }
  }

  void check_names() {
    std::vector<std::string> known = {"index.json"};
    if (index_->tokenizer_bytes > 0) known.emplace_back("tokenizer.json");
    for (const auto& [name, entry] : index_->companions) known.push_back(name);
    for (const Split which : kSplits)
      for (const ShardEntry& entry : index_->split(which).shards) known.push_back(entry.file);
    for (const fs::directory_entry& entry : fs::directory_iterator(directory_))
      if (std::find(known.begin(), known.end(), entry.path().filename()) == known.end())
        problems_.push_back(entry.path().string() + " is no part of the corpus");
  }

  fs::path directory_;
  std::optional<CorpusIndex> index_;
  std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> verify_corpus(const fs::path& directory) { return Verification(directory).run(); }

}  // namespace trireme::data
