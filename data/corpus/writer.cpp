#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <future>

#include "core/base/durable.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "data/corpus/corpus.h"
#include "data/corpus/index.h"
#include "data/corpus/shard_writer.h"

namespace trireme::data {
namespace {

constexpr const char* kObject = "corpus";

// "corpus/" and "corpus" are one place; a temporary beside it needs the second form.
fs::path without_trailing_slash(const fs::path& path) {
  fs::path normal = path.lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

}  // namespace

struct CorpusWriter::Impl {
  struct SplitState {
    std::unique_ptr<ShardWriter> shard;  // that is being filled
    std::size_t shards = 0;              // begun so far
    // The one before: the disk finishes it while the next one is filled.
    std::future<ShardEntry> finishing;
    Xxh3Stream content;
  };

  fs::path directory, temporary;
  std::string tokenizer_json;
  std::map<std::string, std::string> companions;
  std::uint64_t shard_tokens;
  CorpusIndex index;
  std::array<SplitState, 2> states;
  TokenRow scratch;  // one document
  bool open = false;

  ~Impl() { abandon(); }

  void abandon() noexcept {
    for (SplitState& state : states) {
      state.shard.reset();
      state.finishing = {};  // waits for its thread
    }
    std::error_code ignored;  // on the way out of a failure that is already being reported
    if (open) fs::remove_all(temporary, ignored);
    open = false;
  }

  template <class Action>
  void attempt(const Action& action) {
    if (!open) throw Error(ErrorCode::kBug, "the corpus ", directory.string(), " was finished or abandoned before");
    try {
      action();
    } catch (...) {
      abandon();
      throw;
    }
  }

  void add(Split which, const TokenRow& row) {
    SplitState& state = states[static_cast<std::size_t>(which)];
    const auto& documents = row.documents();
    for (std::size_t first = 0; first < documents.size();) {
      if (!state.shard) state.shard = std::make_unique<ShardWriter>(temporary, which, state.shards++, index);
      const std::uint64_t begin = first > 0 ? documents[first - 1].end : 0;
      const std::uint64_t most = begin + shard_tokens - std::min(shard_tokens, state.shard->tokens());
      const auto fit = std::partition_point(documents.begin() + static_cast<std::ptrdiff_t>(first), documents.end(),
                                            [&](const TokenRow::Document& document) { return document.end <= most; });
      auto last = static_cast<std::size_t>(fit - documents.begin());
      if (last == first && state.shard->documents() > 0) {
        finish_shard(which);
        continue;
      }
      if (last == first) ++last;  // longer than a shard: it is one alone
      state.shard->add(row, first, last);
      first = last;
    }
    state.content.update(row.bytes().data(), row.bytes().size());
  }

  void finish_shard(Split which) {
    SplitState& state = states[static_cast<std::size_t>(which)];
    collect(which);
    if (!state.shard) return;
    state.finishing = std::async(std::launch::async, [shard = std::move(state.shard)] { return shard->finish(); });
  }

  void collect(Split which) {
    SplitState& state = states[static_cast<std::size_t>(which)];
    if (!state.finishing.valid()) return;
    ShardEntry shard = state.finishing.get();
    SplitEntry& split = index.split(which);
    split.tokens += shard.tokens;
    split.documents += shard.documents;
    split.text_bytes += shard.text_bytes;
    split.shards.push_back(std::move(shard));
  }

  void finish() {
    for (const Split which : kSplits) finish_shard(which);
    for (const Split which : kSplits) {
      collect(which);
      index.split(which).content_hash = states[static_cast<std::size_t>(which)].content.hex128();
    }
    if (index.split(Split::kTraining).documents == 0)
      throw Error(ErrorCode::kBadInput, "no document fell into the training split of ", directory.string(), " (",
                  index.split(Split::kValidation).documents, " into validation)");
    if (!tokenizer_json.empty()) write_file_atomically(temporary / "tokenizer.json", tokenizer_json);
    for (const auto& [name, text] : companions) write_file_atomically(temporary / name, text);
    write_file_atomically(temporary / "index.json", index_to_json(index));
    sync_folder(temporary, kObject);
    // Never over something that appeared meanwhile.
    if (!move_new(temporary, directory, kObject))
      throw Error(ErrorCode::kIo, "cannot rename the new corpus to ", directory.string(), ": ", system_reason(EEXIST));
    temporary = directory;  // so that a failed sync takes it away again
    sync_folder(directory.has_parent_path() ? directory.parent_path() : fs::path("."), kObject);
    open = false;
  }
};

CorpusWriter::CorpusWriter(fs::path directory, const Tokenizer& tokenizer, std::uint64_t shard_bytes)
    : CorpusWriter(std::move(directory), &tokenizer, tokenizer.vocabulary_size(), {}, shard_bytes) {
  if (!tokenizer.end_of_text())
    throw Error(ErrorCode::kBadInput, "the tokenizer has no token <|endoftext|>, which ends each document of a corpus");
}

CorpusWriter::CorpusWriter(fs::path directory, const Tokenizer* tokenizer, std::int64_t token_ids, Labels labels,
                           std::uint64_t shard_bytes)
    : impl_(std::make_unique<Impl>()) {
  impl_->directory = without_trailing_slash(directory);
  if (tokenizer) impl_->tokenizer_json = tokenizer->json();
  CorpusIndex& index = impl_->index;
  index.labels = std::move(labels);
  index.token_ids = static_cast<std::uint64_t>(token_ids);
  index.vocabulary_size = static_cast<std::uint64_t>(index.label_storage().ids());
  // Where no token ends a text, an id of its own does.
  const auto end_of_text = tokenizer ? tokenizer->end_of_text() : std::nullopt;
  index.end_of_text = end_of_text ? static_cast<std::uint64_t>(*end_of_text) : index.vocabulary_size++;
  index.tokenizer_bytes = impl_->tokenizer_json.size();
  index.tokenizer_hash = xxh3_128_hex(impl_->tokenizer_json);
  impl_->shard_tokens = std::max<std::uint64_t>(1, shard_bytes / storage().element_bytes());

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

void CorpusWriter::keep(const std::string& name, const std::string& text) {
  impl_->index.companions[name] = {text.size(), xxh3_128_hex(text)};
  impl_->companions[name] = text;
}

TokenStorage CorpusWriter::storage() const { return impl_->index.storage(); }
LabelStorage CorpusWriter::label_storage() const { return impl_->index.label_storage(); }

void CorpusWriter::add(Split split, std::span<const TokenId> ids, std::int64_t text_bytes) {
  impl_->attempt([&] {
    impl_->scratch.clear();
    impl_->scratch.add(storage(), ids, text_bytes);
    impl_->add(split, impl_->scratch);
  });
}

void CorpusWriter::add(Split split, const TokenRow& row) {
  impl_->attempt([&] { impl_->add(split, row); });
}

void CorpusWriter::finish() {
  impl_->attempt([&] { impl_->finish(); });
}

}  // namespace trireme::data
