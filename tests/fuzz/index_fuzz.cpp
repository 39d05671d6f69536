// index.json of a corpus, and behind a NUL the bytes of its shards. What is accepted is written again the same, and a
// corpus of such files is refused or read: ids below the vocabulary's size, documents that tile the row.
#include <algorithm>
#include <fstream>

#include "data/corpus/corpus.h"
#include "data/corpus/index.h"
#include "data/corpus/testing.h"
#include "data/loader/answer_rows.h"
#include "tests/fuzz/fuzz.h"

using namespace trireme::data;
using trireme::fuzz::require;

namespace {

constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 20;
constexpr std::size_t kMostShards = 4;

void put(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// Writes the files that the index tells of, and makes right what of it a fuzzer would not guess: sizes and checksums.
bool make_corpus(CorpusIndex& index, std::string_view content, const std::filesystem::path& directory) {
  static const std::string tokenizer = testing::bytes_tokenizer_json();
  index.tokenizer_bytes = tokenizer.size();
  index.tokenizer_hash = trireme::xxh3_128_hex(tokenizer);
  for (const Split which : kSplits) {
    std::vector<ShardEntry>& shards = index.split(which).shards;
    if (shards.size() > kMostShards) return false;
    for (ShardEntry& shard : shards) {
      if (shard.bytes > kLargestFile) return false;
      std::string bytes(content);
      bytes.resize(shard.bytes);
      const std::string_view tokens = std::string_view(bytes).substr(shard.tokens_offset, shard.token_bytes());
      for (std::size_t i = 0; i < shard.block_checksums.size(); ++i)
        shard.block_checksums[i] = trireme::xxh3_128_hex(tokens.substr(i * kCorpusBlockBytes, kCorpusBlockBytes));
      shard.documents_checksum =
          trireme::xxh3_128_hex(std::string_view(bytes).substr(shard.documents_offset, shard.document_bytes()));
      put(directory / shard.file, bytes);
    }
  }
  put(directory / "tokenizer.json", tokenizer);
  put(directory / "index.json", index_to_json(index));
  return true;
}

void check_tokens(const Corpus& corpus, const CorpusIndex& index) {
  std::vector<TokenId> row(static_cast<std::size_t>(corpus.tokens()));
  corpus.read(0, row);
  require(std::all_of(row.begin(), row.end(),
                      [&](TokenId id) { return id >= 0 && static_cast<std::uint64_t>(id) < index.vocabulary_size; }),
          "ids lie below the size of the vocabulary");
  require(corpus.labels().any() || static_cast<std::uint64_t>(corpus.vocabulary_size()) == index.vocabulary_size,
          "without labels all ids are those of tokens");
  // A window across everything, the borders of shards too.
  std::vector<TokenId> window(row.size() / 2);
  const std::size_t begin = row.size() / 4;
  corpus.read(static_cast<std::int64_t>(begin), window);
  require(std::equal(window.begin(), window.end(), row.begin() + static_cast<std::ptrdiff_t>(begin)),
          "a window is a part of the row");
}

void check_documents(const Corpus& corpus) {
  std::int64_t end = 0;
  for (std::int64_t i = 0; i < corpus.documents(); ++i) {
    const auto [first, last] = corpus.document(i);
    require(first == end && last > first, "a document begins where the one before it ends");
    end = last;
  }
  require(end == corpus.tokens(), "documents end where the row does");
}

void check_rows(const Corpus& corpus) {
  const AnswerRows rows(corpus, 8);
  for (std::int64_t row = 0; row < rows.rows(); ++row) {
    std::size_t places = 0;
    for (const LabelledText& text : rows.texts(corpus, row)) places += text.ids.size() - 1;
    require(places >= 1 && places <= 8, "texts fit their row");
  }
}

void check_labels(const Corpus& corpus) {
  const auto names = static_cast<std::int64_t>(corpus.labels().names.size());
  for (std::int64_t i = 0; corpus.labels().any() && i < corpus.documents(); ++i) {
    const LabelledText text = corpus.labelled(i);
    require(!text.ids.empty() && std::all_of(text.ids.begin(), text.ids.end(),
                                             [&](TokenId id) { return id >= 0 && id < corpus.vocabulary_size(); }),
            "a labelled text has tokens, which lie below the size of the vocabulary");
    if (corpus.labels().of_answers()) {
      require(text.labels.size() == text.ids.size(), "as many labels as tokens");
      for (std::size_t k = 0; k < text.ids.size(); ++k)
        require(text.labels[k] == -1 || text.labels[k] == text.ids[k], "what is learnt is the token");
      continue;
    }
    const bool of_texts = corpus.labels().of == Labels::Of::kTexts;
    require(text.labels.size() == (of_texts ? 1 : text.ids.size()), "as many labels as there are of");
    for (const std::int64_t label : text.labels)
      require(label >= (of_texts ? 0 : -1) && label < names, "a label has a name");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [json, content] = trireme::fuzz::halves(data, size);
  CorpusIndex index;
  if (!trireme::fuzz::accepts([&] { index = index_from_json(trireme::fuzz::sealed(json, 17), "index.json"); }))
    return 0;
  const std::string written = index_to_json(index);
  std::string again;
  const bool accepted = trireme::fuzz::accepts([&] { again = index_to_json(index_from_json(written, "index.json")); });
  require(accepted, "what is written is accepted", written);
  require(again == written, "an index that is written and read is the same", again);

  static const testing::TemporaryDirectory directory;
  if (!make_corpus(index, content, directory.path())) return 0;
  for (const Split which : kSplits) {
    trireme::fuzz::accepts([&] { check_tokens(Corpus::open(directory.path(), which), index); });
    trireme::fuzz::accepts([&] { check_documents(Corpus::open(directory.path(), which)); });
    trireme::fuzz::accepts([&] { check_labels(Corpus::open(directory.path(), which)); });
    trireme::fuzz::accepts([&] { check_rows(Corpus::open(directory.path(), which)); });
  }
  return 0;
}
