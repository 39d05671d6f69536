#include "data/tokenizer/tokenizer.h"

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/base/text.h"
#include "data/tokenizer/added_tokens.h"
#include "data/tokenizer/decoder.h"
#include "data/tokenizer/json_reader.h"
#include "data/tokenizer/normalizer.h"
#include "data/tokenizer/post_processor.h"
#include "data/tokenizer/pretokenizer.h"
#include "data/tokenizer/token_model.h"
#include "data/tokenizer/tokenizer_json.h"
#include "data/tokenizer/vocabulary.h"
#include "data/tokenizer/word_cache.h"

namespace trireme::data {
namespace {

using Json = nlohmann::json;

/// The parts of a file, read once.
struct Document {
  Document(const std::string& text, const std::string& origin) : reader(origin), json(reader.document(text)) {
    reader.require_known_keys(json, "the top level",
                              {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
                               "post_processor", "decoder", "model"});
    if (const auto version = json.find("version"); version != json.end() && *version != "1.0")
      reader.refuse("version must be \"1.0\", got ", JsonReader::shown(*version));
  }
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  /// Null where it is absent.
  const Json& part(const char* key) const {
    static const Json null;
    const auto found = json.find(key);
    return found == json.end() ? null : *found;
  }

  JsonReader reader;
  Json json;
  const Json& model = reader.member(json, "model", "the top level");
};

constexpr const char* kEndNames[] = {"<|endoftext|>", "<|end_of_text|>",       "</s>",
                                     "<eos>",         "<｜end▁of▁sentence｜>", "[SEP]"};

}  // namespace

/// What a thread needs while it encodes.
struct Tokenizer::Workspace {
  // Nearly all words of a European language fit the first, in one cache line; the second is for runs of letters in
  // scripts without spaces or with three bytes a letter. 3 MiB together.
  WordCache<22, 9> words{1 << 15};
  WordCache<46, 19> long_words{1 << 13};
  TokenModel::Scratch model;
  Pretokenizer::Scratch pretokenizer;
  AlignedText text;
  PieceList list;
  std::string prefixed;
  std::vector<TextSpan> spans;
};

struct Tokenizer::Impl {
  Impl(const std::string& text, const std::string& origin) : Impl(Document(text, origin), text, origin) {}

  Impl(const Document& document, const std::string& text, const std::string& origin)
      : json(text),
        added_list(read_added_tokens(document.reader, document.json)),
        vocabulary(TokenModel::read_tokens(document.reader, document.model), added_list, origin),
        normalizer(Normalizer::make(document.reader, document.part("normalizer"), "normalizer")),
        outline(PretokenizerOutline::of(document.reader, document.part("pre_tokenizer"))),
        // A vocabulary without some bytes, and models of other kinds, see the byte alphabet's characters.
        as_bytes(outline.ends_in_bytes && document.model.contains("merges") && vocabulary.byte_tokens() &&
                 !has_marks(document.model)),
        pretokenizer(Pretokenizer::make(document.reader, document.part("pre_tokenizer"), "pre_tokenizer", as_bytes)),
        model(TokenModel::make(document.reader, document.model, vocabulary, as_bytes)),
        post_processor(PostProcessor::read(document.reader, document.part("post_processor"), vocabulary)),
        truncation(Truncation::read(document.reader, document.json)),
        decoder(Decoder::make(document.reader, document.part("decoder"))),
        added(added_list, normalizer.get(), origin) {
    for (const char* name : kEndNames) {
      const auto id = vocabulary.id_of(name);
      if (!end_of_text && id && vocabulary.is_special(*id)) end_of_text = id;
    }
  }

  // continuing_subword_prefix and end_of_word_suffix are about characters.
  static bool has_marks(const Json& model) {
    const auto is_text = [&](const char* key) {
      return model.contains(key) && model[key].is_string() && model[key] != "";
    };
    return is_text("continuing_subword_prefix") || is_text("end_of_word_suffix");
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
    model->encode(piece, ids, nullptr, work.model);
    cache.put(key, std::span(ids).subspan(before));
  }

  /// @param readable  bytes of memory from the begin of `piece` that may be read
  void encode_piece(std::string_view piece, std::size_t readable, std::vector<TokenId>& ids, Workspace& work) const {
    if (work.words.fits(piece)) {
      encode_cached(piece, readable, ids, work.words, work);
    } else if (work.long_words.fits(piece)) {
      encode_cached(piece, readable, ids, work.long_words, work);
    } else {
      model->encode(piece, ids, nullptr, work.model);
    }
  }

  /// Words as they lie in the text, one after the other: most of what is ever encoded.
  void scan(std::string_view text, std::vector<TokenId>& ids, Workspace& work) const {
    if (outline.add_prefix_space && text[0] != ' ') {
      work.prefixed.assign(1, ' ').append(text);
      text = work.prefixed;
    }
    while (!text.empty()) {
      const std::string_view piece = text.substr(0, outline.scanner->first_piece(text));
      encode_piece(piece, text.size(), ids, work);
      text.remove_prefix(piece.size());
    }
  }

  using LooseSpans = std::vector<PostProcessor::LooseSpan>;

  /// Any pre-tokenizer and model. @param spans  null where they are not asked for
  void encode_list(PieceList& list, std::vector<TokenId>& ids, LooseSpans* spans, Workspace& work) const {
    list.pieces.assign(1, {0, list.text.text().size()});
    if (pretokenizer) pretokenizer->cut(list, work.pretokenizer);
    const std::size_t end = list.text.text().size();
    for (Piece piece : list.pieces) {
      while (spans == nullptr && piece.begin < piece.end) {
        const std::size_t size = model->first_part(list.of(piece));
        encode_piece(list.of(piece).substr(0, size), end - piece.begin, ids, work);
        piece.begin += size;
      }
      if (spans == nullptr) continue;
      work.spans.clear();
      const std::size_t before = ids.size(), size = piece.end - piece.begin;
      model->encode(list.of(piece), ids, &work.spans, work.model);
      for (std::size_t i = 0; i < work.spans.size(); ++i) {
        // Bytes that stand for the mark of a word's end are none of the piece.
        const std::size_t last = std::min<std::size_t>(work.spans[i].end, size);
        const std::size_t first = std::min<std::size_t>(work.spans[i].begin, last - 1);
        const TextSpan span = list.text.original(piece.begin + first, piece.begin + last);
        const TokenId id = ids[before + i];
        const std::string_view token =
            id == model->unknown_as_it_is() ? list.of(piece).substr(first, last - first) : vocabulary.spelling(id);
        spans->push_back(post_processor.loose(token, span));
      }
    }
  }

  /// A stretch without tokens that are found in the text as it is, at `begin` of it.
  void encode_plain(std::string_view plain, std::size_t begin, SpecialText special, std::vector<TokenId>& ids,
                    LooseSpans* spans, Workspace& work) const {
    const bool is_simple = outline.scanner && as_bytes && spans == nullptr;
    AlignedText& text = work.text;
    if (normalizer || !is_simple) {
      text.assign(plain, static_cast<std::uint32_t>(begin));
      if (normalizer) normalizer->normalize(text, work.pretokenizer.change);
      plain = text.text();
    }
    added.behind_normalizer().split(
        plain, special,
        [&](std::string_view part) {
          if (is_simple) return scan(part, ids, work);
          const auto from = static_cast<std::size_t>(part.data() - plain.data());
          work.list.text.assign_part(text, from, from + part.size());
          encode_list(work.list, ids, spans, work);
        },
        [&](TokenId token, std::string_view matched) {
          ids.push_back(token);
          if (spans == nullptr) return;
          const auto from = static_cast<std::size_t>(matched.data() - plain.data());
          spans->push_back(post_processor.loose(matched, text.original(from, from + matched.size())));
        });
  }

  void encode(std::string_view text, const EncodingOptions& options, std::vector<TokenId>& ids,
              std::vector<TextSpan>* spans, Workspace& work) const {
    const std::size_t before = ids.size();
    const auto around = [&](const std::vector<TokenId>& tokens) {
      if (!options.add_special_tokens) return;
      ids.insert(ids.end(), tokens.begin(), tokens.end());
      if (spans) spans->resize(ids.size() - before);
    };
    LooseSpans loose;
    around(post_processor.prefix);
    const std::size_t begin = ids.size();
    added.before_normalizer().split(
        text, options.special,
        [&](std::string_view plain) {
          encode_plain(plain, static_cast<std::size_t>(plain.data() - text.data()), options.special, ids,
                       spans ? &loose : nullptr, work);
        },
        [&](TokenId token, std::string_view matched) {
          ids.push_back(token);
          if (spans == nullptr) return;
          const auto from = static_cast<std::uint32_t>(matched.data() - text.data());
          const TextSpan span{from, from + static_cast<std::uint32_t>(matched.size())};
          loose.push_back(post_processor.loose(matched, span));
        });
    if (options.truncate && truncation) {
      const std::size_t others =
          options.add_special_tokens ? post_processor.prefix.size() + post_processor.suffix.size() : 0;
      const auto most = static_cast<std::size_t>(truncation->most);
      truncate(ids, begin, most > others ? most - others : 0);
      if (spans) truncate(loose, 0, most > others ? most - others : 0);
    }
    for (std::size_t i = 0; i < loose.size(); ++i) spans->push_back(post_processor.trimmed(text, loose[i], i == 0));
    around(post_processor.suffix);
  }

  template <class Row>
  void truncate(Row& row, std::size_t begin, std::size_t most) const {
    if (row.size() - begin <= most) return;
    const auto first = row.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto count = static_cast<std::ptrdiff_t>(most);
    truncation->keeps_end ? row.erase(first, row.end() - count) : row.erase(first + count, row.end());
  }

  /// An added token that is looked for in normalized text comes back as it was found there, as from PyPI's tokenizers.
  Decoder::Token token(TokenId id) const {
    if (const std::string* const normalized = added.normalized(id)) return {*normalized};
    return {vocabulary.spelling(id), vocabulary.is_added(id)};
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
  std::vector<AddedToken> added_list;
  Vocabulary vocabulary;
  std::unique_ptr<Normalizer> normalizer;
  PretokenizerOutline outline;
  bool as_bytes;
  std::unique_ptr<Pretokenizer> pretokenizer;
  std::unique_ptr<TokenModel> model;
  PostProcessor post_processor;
  std::optional<Truncation> truncation;
  Decoder decoder;
  AddedTokens added;
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

std::vector<TokenId> Tokenizer::encode(std::string_view text, const EncodingOptions& options) const {
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 4 + 8);
  Session(*this).encode_to(text, ids, options);
  return ids;
}

Encoding Tokenizer::encode_with_spans(std::string_view text, const EncodingOptions& options) const {
  Encoding encoding;
  auto work = impl_->borrow_workspace();
  impl_->encode(text, options, encoding.ids, &encoding.spans, *work);
  impl_->give_back(std::move(work));
  return encoding;
}

Tokenizer::Session::Session(const Tokenizer& tokenizer) : impl_(*tokenizer.impl_), work_(impl_.borrow_workspace()) {}

Tokenizer::Session::~Session() { impl_.give_back(std::move(work_)); }

void Tokenizer::Session::encode_to(std::string_view text, std::vector<TokenId>& ids, const EncodingOptions& options) {
  impl_.encode(text, options, ids, nullptr, *work_);
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
  std::string bytes;
  bytes.reserve(ids.size() * 4);
  Decoder::Run run(impl_->decoder, /*is_stream=*/false);
  for (const TokenId id : ids) {
    const Decoder::Token token = impl_->token(id);
    if (!(skip_special && impl_->vocabulary.is_special(id))) run.push(token, bytes);
  }
  run.finish(bytes);
  return bytes;
}

std::vector<TokenId> Tokenizer::encode_prompt(std::string_view text, const EncodingOptions& options) const {
  std::vector<TokenId> ids = encode(text, options);
  if (!ids.empty()) return ids;
  if (!impl_->end_of_text)
    throw Error(ErrorCode::kBadInput, "the prompt is empty and the tokenizer has no token to start from");
  return {*impl_->end_of_text};
}

std::optional<TokenId> Tokenizer::id_of(std::string_view token) const { return impl_->vocabulary.id_of(token); }

std::optional<TokenId> Tokenizer::end_of_text() const { return impl_->end_of_text; }

bool Tokenizer::is_special(TokenId id) const { return impl_->vocabulary.is_special(id); }

std::span<const TokenId> Tokenizer::prefix() const { return impl_->post_processor.prefix; }

std::span<const TokenId> Tokenizer::suffix() const { return impl_->post_processor.suffix; }

std::span<const TokenId> Tokenizer::body(std::span<const TokenId> ids) const {
  const auto begins = [](std::span<const TokenId> row, std::span<const TokenId> with) {
    return row.size() >= with.size() && std::ranges::equal(row.first(with.size()), with);
  };
  if (begins(ids, prefix())) ids = ids.subspan(prefix().size());
  if (ids.size() >= suffix().size() && begins(ids.last(suffix().size()), suffix()))
    ids = ids.first(ids.size() - suffix().size());
  return ids;
}

const std::string& Tokenizer::json() const { return impl_->json; }

std::string Tokenizer::hash() const { return xxh3_128_hex(impl_->json); }

struct Tokenizer::DecodeStream::State {
  State(const Impl& of, bool skips) : impl(of), skips_special(skips), run(of.decoder, /*is_stream=*/true) {}

  void push(TokenId id) {
    if (impl.vocabulary.is_hole(id) || (skips_special && impl.vocabulary.is_special(id))) return;
    run.push(impl.token(id), bytes);
    drop();
  }

  void drop() {
    const std::size_t size = std::min(held_back, bytes.size());
    bytes.erase(0, size);
    held_back -= size;
  }

  std::string take(std::size_t size) {
    std::string text = well_formed_utf8(std::string_view(bytes).substr(0, size));
    bytes.erase(0, size);
    return text;
  }

  const Impl& impl;
  bool skips_special;
  Decoder::Run run;
  std::string bytes;          // that do not yet end on a character
  std::size_t held_back = 0;  // bytes of what it was primed with that are still to come
};

Tokenizer::DecodeStream::DecodeStream(const Tokenizer& tokenizer, bool skip_special)
    : state_(std::make_unique<State>(*tokenizer.impl_, skip_special)) {}
Tokenizer::DecodeStream::DecodeStream(DecodeStream&&) noexcept = default;
Tokenizer::DecodeStream::~DecodeStream() = default;

void Tokenizer::DecodeStream::prime(std::span<const TokenId> ids) {
  for (const TokenId id : ids) state_->push(id);
  const std::size_t given = state_->bytes.size();
  // What the decoder holds back comes when it is finished, which another run shows.
  Decoder::Run run(state_->impl.decoder, /*is_stream=*/true);
  std::string all;
  for (const TokenId id : ids)
    if (!state_->impl.vocabulary.is_hole(id) && !(state_->skips_special && state_->impl.vocabulary.is_special(id)))
      run.push(state_->impl.token(id), all);
  run.finish(all);
  // Bytes that a character begins with are none of it: the character comes when it is whole.
  while (all.size() > given && all.ends_with("\xEF\xBF\xBD")) all.resize(all.size() - 3);
  state_->held_back = all.size() - std::min(all.size(), given);
  state_->take(complete_utf8_prefix(state_->bytes));
}

std::string Tokenizer::DecodeStream::push(TokenId id) {
  state_->push(id);
  return state_->take(complete_utf8_prefix(state_->bytes));
}

std::string Tokenizer::DecodeStream::finish() {
  state_->run.finish(state_->bytes);
  state_->drop();
  return state_->take(state_->bytes.size());
}

}  // namespace trireme::data
