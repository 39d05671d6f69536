#include "data/tokenizer/tokenizer.h"

#include <algorithm>
#include <mutex>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "data/tokenizer/added_tokens.h"
#include "data/tokenizer/bpe.h"
#include "data/tokenizer/byte_alphabet.h"
#include "data/tokenizer/pretokenizer.h"
#include "data/tokenizer/tokenizer_json.h"
#include "data/tokenizer/vocabulary.h"
#include "data/tokenizer/word_cache.h"

namespace trireme::data {

/// What a thread needs while it encodes.
struct Tokenizer::Workspace {
  // Nearly all words of a European language fit the first, in one cache line; the second is for runs of letters in
  // scripts without spaces or with three bytes a letter. 3 MiB together.
  WordCache<22, 9> words{1 << 15};
  WordCache<46, 19> long_words{1 << 13};
  MergeTable::Scratch scratch;
  std::string prefixed;
};

struct Tokenizer::Impl {
  Impl(const std::string& json, const std::string& origin) : Impl(parse_tokenizer_json(json, origin), json, origin) {}

  Impl(const TokenizerSpec& spec, const std::string& json_text, const std::string& origin)
      : json(json_text),
        vocabulary(spec, origin),
        merges(spec, vocabulary, origin),
        added(spec.added, origin),
        pretokenizer(spec.use_pattern),
        add_prefix_space(spec.add_prefix_space),
        ignore_merges(spec.ignore_merges) {
    for (const char* name : {"<|endoftext|>", "<|end_of_text|>", "</s>"}) {
      const auto id = vocabulary.id_of(name);
      if (!end_of_text && id && vocabulary.is_special(*id)) end_of_text = id;
    }
  }

  void encode_piece(std::string_view piece, std::vector<TokenId>& ids, Workspace& work) const {
    if (ignore_merges) {
      if (const auto whole = vocabulary.model_id_of(spell_bytes(piece))) {
        ids.push_back(*whole);
        return;
      }
    }
    merges.encode(piece, ids, work.scratch);
  }

  template <class Cache>
  void encode_cached(std::string_view piece, std::size_t readable, std::vector<TokenId>& ids, Cache& cache,
                     Workspace& work) const {
    const auto key = cache.key(piece, readable);
    if (const auto known = cache.find(key); !known.empty()) {
      ids.insert(ids.end(), known.begin(), known.end());
      return;
    }
    const std::size_t before = ids.size();
    encode_piece(piece, ids, work);
    cache.put(key, std::span(ids).subspan(before));
  }

  void encode_plain(std::string_view text, std::vector<TokenId>& ids, Workspace& work) const {
    if (add_prefix_space && text[0] != ' ') {
      work.prefixed.assign(1, ' ').append(text);
      text = work.prefixed;
    }
    while (!text.empty()) {
      const std::string_view piece = text.substr(0, pretokenizer.first_piece(text));
      if (work.words.fits(piece)) {
        encode_cached(piece, text.size(), ids, work.words, work);
      } else if (work.long_words.fits(piece)) {
        encode_cached(piece, text.size(), ids, work.long_words, work);
      } else {
        encode_piece(piece, ids, work);
      }
      text.remove_prefix(piece.size());
    }
  }

  std::unique_ptr<Workspace> borrow_workspace() const {
    const std::lock_guard lock(mutex);
    if (idle.empty()) return std::make_unique<Workspace>();
    auto work = std::move(idle.back());
    idle.pop_back();
    return work;
  }

  void give_back(std::unique_ptr<Workspace> work) const {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(work));
  }

  std::string json;
  Vocabulary vocabulary;
  MergeTable merges;
  AddedTokens added;
  Pretokenizer pretokenizer;
  bool add_prefix_space;
  bool ignore_merges;
  std::optional<TokenId> end_of_text;

  // One workspace a thread that encodes at the same time, kept for the next call: its cache is warm.
  mutable std::mutex mutex;
  mutable std::vector<std::unique_ptr<Workspace>> idle;
};

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::load(const std::filesystem::path& path) {
  return parse(read_file(path, kMaxTokenizerBytes), path.string());
}

Tokenizer Tokenizer::parse(const std::string& json, const std::string& origin) {
  return Tokenizer(std::make_unique<Impl>(json, origin));
}

std::int64_t Tokenizer::vocabulary_size() const { return impl_->vocabulary.size(); }

std::vector<TokenId> Tokenizer::encode(std::string_view text, SpecialText special) const {
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 4 + 8);
  Session(*this).encode_to(text, ids, special);
  return ids;
}

Tokenizer::Session::Session(const Tokenizer& tokenizer) : impl_(*tokenizer.impl_), work_(impl_.borrow_workspace()) {}

Tokenizer::Session::~Session() { impl_.give_back(std::move(work_)); }

void Tokenizer::Session::encode_to(std::string_view text, std::vector<TokenId>& ids, SpecialText special) {
  impl_.added.split(
      text, special, [&](std::string_view plain) { impl_.encode_plain(plain, ids, *work_); },
      [&](TokenId token) { ids.push_back(token); });
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
  std::string bytes;
  bytes.reserve(ids.size() * 4);
  for (const TokenId id : ids) {
    const std::string_view token = impl_->vocabulary.bytes(id);
    if (!(skip_special && impl_->vocabulary.is_special(id))) bytes += token;
  }
  return bytes;
}

std::string Tokenizer::decode_one(TokenId id) const { return std::string(impl_->vocabulary.bytes(id)); }

std::vector<TokenId> Tokenizer::encode_prompt(std::string_view text) const {
  std::vector<TokenId> ids = encode(text);
  if (!ids.empty()) return ids;
  if (!impl_->end_of_text)
    throw Error(ErrorCode::kBadInput, "the prompt is empty and the tokenizer has no token to start from");
  return {*impl_->end_of_text};
}

std::optional<TokenId> Tokenizer::id_of(std::string_view token) const { return impl_->vocabulary.id_of(token); }

std::optional<TokenId> Tokenizer::end_of_text() const { return impl_->end_of_text; }

bool Tokenizer::is_special(TokenId id) const { return impl_->vocabulary.is_special(id); }

const std::string& Tokenizer::json() const { return impl_->json; }

std::string Tokenizer::hash() const { return xxh3_128_hex(impl_->json); }

}  // namespace trireme::data
