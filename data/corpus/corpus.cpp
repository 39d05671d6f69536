#include "data/corpus/corpus.h"

#include <algorithm>

#include "core/base/error.h"
#include "data/corpus/index.h"
#include "data/corpus/shard.h"

namespace trireme::data {

struct Corpus::Impl {
  std::string directory;
  CorpusIndex index;
  Split which;
  std::string tokenizer_json;
  std::map<std::string, std::string> companions;
  std::vector<Shard> shards;
  // Where each shard begins in the row and in the list of documents, and after the last one where both end.
  std::vector<std::int64_t> first_token = {0}, first_document = {0};

  const SplitEntry& split() const { return index.split(which); }

  // The part that holds `position`, by the starts of all parts.
  static std::size_t part_of(const std::vector<std::int64_t>& starts, std::int64_t position) {
    return static_cast<std::size_t>(std::upper_bound(starts.begin(), starts.end(), position) - starts.begin()) - 1;
  }
};

Corpus::Corpus(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Corpus::Corpus(Corpus&&) noexcept = default;
Corpus& Corpus::operator=(Corpus&&) noexcept = default;
Corpus::~Corpus() = default;

Corpus Corpus::open(const std::filesystem::path& directory, Split split) {
  auto impl = std::make_unique<Impl>();
  impl->index = read_corpus_index(directory);
  impl->which = split;
  impl->directory = directory.string();
  impl->tokenizer_json = read_corpus_tokenizer(directory, impl->index);
  impl->companions = read_corpus_companions(directory, impl->index);
  if (impl->index.labels.of == Labels::Of::kPreferences && impl->split().documents % 2 != 0)
    throw Error(ErrorCode::kCorrupt, directory.string(), " is damaged: it has ", impl->split().documents,
                " texts in pairs");
  for (const ShardEntry& entry : impl->split().shards) {
    impl->shards.emplace_back(directory, entry, impl->index.vocabulary_size);
    impl->first_token.push_back(impl->first_token.back() + static_cast<std::int64_t>(entry.tokens));
    impl->first_document.push_back(impl->first_document.back() + static_cast<std::int64_t>(entry.documents));
  }
  return Corpus(std::move(impl));
}

std::int64_t Corpus::tokens() const { return impl_->first_token.back(); }
std::int64_t Corpus::documents() const { return impl_->first_document.back(); }
std::int64_t Corpus::text_bytes() const { return static_cast<std::int64_t>(impl_->split().text_bytes); }
std::int64_t Corpus::vocabulary_size() const { return static_cast<std::int64_t>(impl_->index.token_ids); }
const Labels& Corpus::labels() const { return impl_->index.labels; }
const std::string& Corpus::tokenizer_json() const { return impl_->tokenizer_json; }
const std::string& Corpus::tokenizer_hash() const { return impl_->index.tokenizer_hash; }
const std::map<std::string, std::string>& Corpus::companions() const { return impl_->companions; }
const std::string& Corpus::content_hash() const { return impl_->split().content_hash; }

void Corpus::read(std::int64_t begin, std::span<TokenId> out) const {
  if (begin < 0 || begin > tokens() || static_cast<std::int64_t>(out.size()) > tokens() - begin)
    throw Error(ErrorCode::kBug, "tokens ", begin, " to ", begin + static_cast<std::int64_t>(out.size()),
                " are outside of the split's ", tokens());
  while (!out.empty()) {
    const std::size_t part = Impl::part_of(impl_->first_token, begin);
    const auto count = std::min(out.size(), static_cast<std::size_t>(impl_->first_token[part + 1] - begin));
    impl_->shards[part].read(static_cast<std::uint64_t>(begin - impl_->first_token[part]), out.first(count));
    out = out.subspan(count);
    begin += static_cast<std::int64_t>(count);
  }
}

LabelledText Corpus::labelled(std::int64_t index) const {
  const auto [begin, end] = document(index);
  std::vector<TokenId> row(static_cast<std::size_t>(end - begin - 1));  // without the end of text
  read(begin, row);
  return impl_->index.label_storage().text(std::move(row), impl_->directory);
}

std::pair<std::int64_t, std::int64_t> Corpus::document(std::int64_t index) const {
  if (index < 0 || index >= documents())
    throw Error(ErrorCode::kBug, "document ", index, " is outside of the split's ", documents());
  const std::size_t part = Impl::part_of(impl_->first_document, index);
  const auto [first, last] =
      impl_->shards[part].document(static_cast<std::uint64_t>(index - impl_->first_document[part]));
  const std::int64_t start = impl_->first_token[part];
  return {start + static_cast<std::int64_t>(first), start + static_cast<std::int64_t>(last)};
}

}  // namespace trireme::data
