#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/base/text.h"
#include "core/hdf5/hdf5.h"
#include "data/corpus/corpus.h"
#include "data/corpus/index.h"
#include "data/corpus/mapped_file.h"

namespace trireme::data {
namespace {

static_assert(std::endian::native == std::endian::little, "checksums are over little-endian bytes");

// "corpus/" and "corpus" are one place; a temporary beside it needs the second form.
fs::path without_trailing_slash(const fs::path& path) {
  fs::path normal = path.lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

// A shard that is being filled: its tokens in blocks as they will be checked, so that nothing is ever moved to grow.
struct ShardBuffer {
  std::vector<std::string> blocks;
  std::vector<std::uint64_t> document_offsets = {0};
  std::uint64_t text_bytes = 0;

  std::uint64_t documents() const { return document_offsets.size() - 1; }
  std::uint64_t tokens() const { return document_offsets.back(); }

  void append(std::string_view bytes) {
    while (!bytes.empty()) {
      if (blocks.empty() || blocks.back().size() == kCorpusBlockBytes) blocks.emplace_back().reserve(kCorpusBlockBytes);
      const std::size_t part = std::min<std::size_t>(bytes.size(), kCorpusBlockBytes - blocks.back().size());
      blocks.back().append(bytes.substr(0, part));
      bytes.remove_prefix(part);
    }
  }
};

template <class Element>
void store(std::span<const TokenId> ids, std::uint64_t end_of_text, std::string& bytes) {
  bytes.resize((ids.size() + 1) * sizeof(Element));
  char* out = bytes.data();
  const auto put = [&](Element element) {
    std::memcpy(out, &element, sizeof element);
    out += sizeof element;
  };
  for (const TokenId id : ids) put(static_cast<Element>(id));
  put(static_cast<Element>(end_of_text));
}

}  // namespace

struct CorpusWriter::Impl {
  struct SplitState {
    ShardBuffer buffer;
    Xxh3Stream content;
  };

  fs::path directory, temporary;
  std::string tokenizer_json;
  std::uint64_t shard_tokens;
  std::uint64_t element_bytes;
  CorpusIndex index;
  std::array<SplitState, 2> states;
  std::string scratch;  // one document's bytes
  bool open = false;

  ~Impl() { abandon(); }

  void abandon() noexcept {
    std::error_code ignored;  // on the way out of a failure that is already being reported
    if (open) fs::remove_all(temporary, ignored);
    open = false;
  }

  void require_open() const {
    if (!open) throw Error(ErrorCode::kBug, "the corpus ", directory.string(), " was finished or abandoned before");
  }

  void add(Split which, std::span<const TokenId> ids, std::int64_t text_bytes) {
    for (const TokenId id : ids)
      if (id < 0 || static_cast<std::uint64_t>(id) >= index.vocabulary_size)
        throw Error(ErrorCode::kBadInput, "token id ", id, " is outside of the vocabulary of ", index.vocabulary_size);
    if (text_bytes < 0) throw Error(ErrorCode::kBadInput, "a document cannot have ", text_bytes, " bytes");
    SplitState& state = states[static_cast<std::size_t>(which)];
    const std::uint64_t tokens = ids.size() + 1;
    if (state.buffer.documents() > 0 && state.buffer.tokens() + tokens > shard_tokens) finish_shard(which);
    if (element_bytes == 2) {
      store<std::uint16_t>(ids, index.end_of_text, scratch);
    } else {
      store<std::uint32_t>(ids, index.end_of_text, scratch);
    }
    state.buffer.append(scratch);
    state.content.update(scratch.data(), scratch.size());
    state.buffer.document_offsets.push_back(state.buffer.tokens() + tokens);
    state.buffer.text_bytes += static_cast<std::uint64_t>(text_bytes);
    if (state.buffer.tokens() >= shard_tokens) finish_shard(which);
  }

  void finish_shard(Split which) {
    const ShardBuffer buffer = std::exchange(states[static_cast<std::size_t>(which)].buffer, {});
    if (buffer.documents() == 0) return;
    SplitEntry& split = index.split(which);
    ShardEntry shard;
    shard.file = shard_file_name(which, split.shards.size());
    shard.tokens = buffer.tokens();
    shard.documents = buffer.documents();
    shard.text_bytes = buffer.text_bytes;
    shard.element_bytes = element_bytes;
    for (const std::string& block : buffer.blocks) shard.block_checksums.push_back(xxh3_128_hex(block));
    shard.documents_checksum = xxh3_128_hex(buffer.document_offsets.data(), shard.document_bytes());

    const fs::path path = temporary / shard.file;
    try {
      write_shard_file(path, shard, buffer, split_name(which), split.shards.size());
      sync_path(path);
    } catch (const Error& error) {
      // HDF5 keeps the reason to itself; by far the most common one is a full disk.
      std::error_code unknown;
      const fs::space_info space = fs::space(temporary, unknown);
      if (unknown) throw;
      throw Error(error.code(), error.what(), "; ", bytes_text(static_cast<double>(space.available)),
                  " are free there");
    }
    const MappedFile written(path);
    shard.bytes = written.size();
    shard.checksum = xxh3_128_hex(written.data(), written.size());
    split.tokens += shard.tokens;
    split.documents += shard.documents;
    split.text_bytes += shard.text_bytes;
    split.shards.push_back(std::move(shard));
  }

  void write_shard_file(const fs::path& path, ShardEntry& shard, const ShardBuffer& buffer, std::string_view split,
                        std::size_t number) const {
    const hdf5::Type type = element_bytes == 2 ? hdf5::Type::kUint16 : hdf5::Type::kUint32;
    hdf5::File file = hdf5::File::create(path);
    file.set_attribute("", "trireme-format", "corpus-shard");
    file.set_attribute("", "version", std::vector<std::uint64_t>{1});
    file.set_attribute("", "split", std::string(split));
    file.set_attribute("", "shard", std::vector<std::uint64_t>{number});
    file.set_attribute("", "vocabulary-size", std::vector<std::uint64_t>{index.vocabulary_size});
    file.set_attribute("", "end-of-text", std::vector<std::uint64_t>{index.end_of_text});
    file.set_attribute("", "tokenizer-hash", index.tokenizer_hash);
    file.set_attribute("", "text-bytes", std::vector<std::uint64_t>{shard.text_bytes});
    file.reserve("tokens", type, {shard.tokens});
    std::uint64_t row = 0;
    for (const std::string& block : buffer.blocks) {
      const std::uint64_t rows = block.size() / element_bytes;
      file.write_rows("tokens", type, row, rows, block.data());
      row += rows;
    }
    file.write("document-offsets", hdf5::Type::kUint64, {shard.documents + 1}, buffer.document_offsets.data());
    shard.tokens_offset = file.offset("tokens");
    shard.documents_offset = file.offset("document-offsets");
    file.close();
  }

  void finish() {
    for (const Split which : kSplits) {
      finish_shard(which);
      index.split(which).content_hash = states[static_cast<std::size_t>(which)].content.hex128();
    }
    if (index.split(Split::kTraining).documents == 0)
      throw Error(ErrorCode::kBadInput, "no document fell into the training split of ", directory.string(), " (",
                  index.split(Split::kValidation).documents, " into validation)");
    write_file_atomically(temporary / "tokenizer.json", tokenizer_json);
    write_file_atomically(temporary / "index.json", index_to_json(index));
    sync_path(temporary);
    // Never over something that appeared meanwhile: plain rename would replace an empty directory.
    if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, directory.c_str(), RENAME_NOREPLACE) != 0) {
      if (errno != EINVAL || ::rename(temporary.c_str(), directory.c_str()) != 0)
        throw Error(ErrorCode::kIo, "cannot rename the new corpus to ", directory.string(), ": ", system_reason(errno));
    }
    temporary = directory;  // so that a failed sync takes it away again
    sync_path(directory.has_parent_path() ? directory.parent_path() : fs::path("."));
    open = false;
  }
};

CorpusWriter::CorpusWriter(fs::path directory, const Tokenizer& tokenizer, std::int64_t shard_tokens)
    : impl_(std::make_unique<Impl>()) {
  const auto end_of_text = tokenizer.end_of_text();
  if (!end_of_text)
    throw Error(ErrorCode::kBadInput, "the tokenizer has no token <|endoftext|>, which ends each document of a corpus");
  if (shard_tokens < 1) throw Error(ErrorCode::kBadInput, "a shard holds 1 token or more, not ", shard_tokens);
  impl_->directory = without_trailing_slash(directory);
  impl_->tokenizer_json = tokenizer.json();
  impl_->shard_tokens = static_cast<std::uint64_t>(shard_tokens);
  impl_->index.vocabulary_size = static_cast<std::uint64_t>(tokenizer.vocabulary_size());
  impl_->index.end_of_text = static_cast<std::uint64_t>(*end_of_text);
  impl_->index.tokenizer_bytes = tokenizer.json().size();
  impl_->index.tokenizer_hash = xxh3_128_hex(tokenizer.json());
  impl_->element_bytes = impl_->index.vocabulary_size <= 65536 ? 2 : 4;

  if (fs::symlink_status(impl_->directory).type() != fs::file_type::not_found)
    throw Error(ErrorCode::kBadInput, impl_->directory.string(), " exists; a corpus is written to a new directory");
  impl_->temporary = impl_->directory;
  impl_->temporary += ".tmp-" + std::to_string(::getpid());
  std::error_code reason;
  if (!fs::create_directory(impl_->temporary, reason))
    throw Error(ErrorCode::kIo, "cannot create ", impl_->temporary.string(), ": ",
                reason ? reason.message() : "it exists, left by a process that was killed; remove it");
  impl_->open = true;
}

CorpusWriter::~CorpusWriter() = default;

void CorpusWriter::add(Split split, std::span<const TokenId> ids, std::int64_t text_bytes) {
  impl_->require_open();
  try {
    impl_->add(split, ids, text_bytes);
  } catch (...) {
    impl_->abandon();
    throw;
  }
}

void CorpusWriter::finish() {
  impl_->require_open();
  try {
    impl_->finish();
  } catch (...) {
    impl_->abandon();
    throw;
  }
}

}  // namespace trireme::data
