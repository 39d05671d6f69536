#include "data/corpus/shard.h"

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "core/base/hash.h"

namespace trireme::data {
namespace {

// HDF5 promises no alignment of a dataset in its file, hence memcpy; it compiles to plain (and vector) loads.
template <class Element>
Element load(const char* bytes, std::uint64_t index) {
  Element element;
  std::memcpy(&element, bytes + index * sizeof(Element), sizeof(Element));
  return element;
}

template <class Element>
std::uint64_t largest(const char* bytes, std::uint64_t count) {
  Element most = 0;
  for (std::uint64_t i = 0; i < count; ++i) most = std::max(most, load<Element>(bytes, i));
  return most;
}

}  // namespace

Shard::Shard(const std::filesystem::path& directory, ShardEntry entry, std::uint64_t vocabulary_size)
    : file_(directory / entry.file),
      entry_(std::move(entry)),
      vocabulary_size_(vocabulary_size),
      block_is_sound_(std::make_unique<std::atomic<bool>[]>(entry_.block_checksums.size())),
      documents_are_sound_(std::make_unique<std::atomic<bool>>(false)) {
  if (file_.size() != entry_.bytes)
    throw Error(ErrorCode::kCorrupt, file_.path().string(), " is damaged: it holds ", file_.size(), " bytes, ",
                entry_.bytes, " are due");
}

void Shard::check_block(std::uint64_t block) const {
  std::atomic<bool>& sound = block_is_sound_[block];
  if (sound.load(std::memory_order_relaxed)) return;
  const std::string_view bytes = token_bytes().substr(block * kCorpusBlockBytes, kCorpusBlockBytes);
  file_.will_need(entry_.tokens_offset + block * kCorpusBlockBytes, bytes.size());
  if (xxh3_128_hex(bytes) != entry_.block_checksums[block])
    throw Error(ErrorCode::kCorrupt, file_.path().string(), " is damaged: block ", block, " of its tokens (bytes ",
                entry_.tokens_offset + block * kCorpusBlockBytes, " to ",
                entry_.tokens_offset + block * kCorpusBlockBytes + bytes.size(), ") does not match its checksum");
  const std::uint64_t count = bytes.size() / entry_.element_bytes;
  const std::uint64_t most = entry_.element_bytes == 2 ? largest<std::uint16_t>(bytes.data(), count)
                                                       : largest<std::uint32_t>(bytes.data(), count);
  if (most >= vocabulary_size_)
    throw Error(ErrorCode::kCorrupt, file_.path().string(), " is damaged: block ", block, " holds token id ", most,
                ", and the vocabulary has ", vocabulary_size_, " tokens");
  sound.store(true, std::memory_order_relaxed);
}

std::uint64_t Shard::document_offset(std::uint64_t index) const {
  return load<std::uint64_t>(file_.data() + entry_.documents_offset, index);
}

void Shard::check_documents() const {
  if (documents_are_sound_->load(std::memory_order_relaxed)) return;
  file_.will_need(entry_.documents_offset, entry_.document_bytes());
  if (xxh3_128_hex(file_.data() + entry_.documents_offset, entry_.document_bytes()) != entry_.documents_checksum)
    throw Error(ErrorCode::kCorrupt, file_.path().string(),
                " is damaged: its document offsets do not match their checksum");
  bool ascending = document_offset(0) == 0 && document_offset(entry_.documents) == entry_.tokens;
  for (std::uint64_t i = 0; i < entry_.documents; ++i) ascending &= document_offset(i) < document_offset(i + 1);
  if (!ascending)
    throw Error(ErrorCode::kCorrupt, file_.path().string(),
                " is damaged: its document offsets do not ascend from 0 to ", entry_.tokens);
  documents_are_sound_->store(true, std::memory_order_relaxed);
}

template <class Element>
void Shard::convert(std::uint64_t begin, std::span<TokenId> out) const {
  const char* bytes = token_bytes().data() + begin * sizeof(Element);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<TokenId>(load<Element>(bytes, i));
}

void Shard::read(std::uint64_t begin, std::span<TokenId> out) const {
  if (out.empty()) return;
  file_.require_size();
  const std::uint64_t block_tokens = kCorpusBlockBytes / entry_.element_bytes;
  for (std::uint64_t block = begin / block_tokens; block <= (begin + out.size() - 1) / block_tokens; ++block)
    check_block(block);
  file_.will_need(entry_.tokens_offset + begin * entry_.element_bytes, out.size() * entry_.element_bytes);
  entry_.element_bytes == 2 ? convert<std::uint16_t>(begin, out) : convert<std::uint32_t>(begin, out);
}

std::pair<std::uint64_t, std::uint64_t> Shard::document(std::uint64_t index) const {
  file_.require_size();
  check_documents();
  return {document_offset(index), document_offset(index + 1)};
}

}  // namespace trireme::data
