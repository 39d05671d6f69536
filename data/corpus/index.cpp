#include "data/corpus/index.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"

namespace trireme::data {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kVersion = 1, kVersionWithLabels = 2;
// The checksum has one place, right at the start, so that it can be found before anything is parsed.
constexpr std::string_view kHead = "{\n  \"checksum\": \"";
constexpr std::size_t kDigits = 32;
// Numbers above this are refused when read, so that sums of a few of them cannot overflow.
constexpr std::uint64_t kLargest = std::uint64_t{1} << 56;

bool is_checksum(std::string_view text) {
  return text.size() == kDigits && std::all_of(text.begin(), text.end(), [](char digit) {
           return (digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f');
         });
}

// Reads members of one file's objects; every failure names the file and the key.
class Reader {
 public:
  explicit Reader(const std::string& origin) : origin_(origin) {}

  [[noreturn]] void fail(const auto&... parts) const {
    throw Error(ErrorCode::kCorrupt, origin_, " is damaged: ", parts...);
  }
  const Json& member(const Json& object, const char* key) const {
    const auto found = object.is_object() ? object.find(key) : object.end();
    if (found == object.end()) fail("it has no ", key);
    return *found;
  }
  std::uint64_t number(const Json& object, const char* key) const {
    const Json& value = member(object, key);
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > kLargest) fail(key, " is no count");
    return value.get<std::uint64_t>();
  }
  std::string text(const Json& object, const char* key) const {
    const Json& value = member(object, key);
    if (!value.is_string()) fail(key, " is no text");
    return value.get<std::string>();
  }
  std::string checksum(const Json& value, const char* key) const {
    if (!value.is_string() || !is_checksum(value.get_ref<const std::string&>())) fail(key, " is no checksum");
    return value.get<std::string>();
  }

 private:
  const std::string& origin_;
};

Json shard_to_json(const ShardEntry& shard) {
  return {{"file", shard.file},
          {"bytes", shard.bytes},
          {"checksum", shard.checksum},
          {"tokens", shard.tokens},
          {"documents", shard.documents},
          {"text-bytes", shard.text_bytes},
          {"element-type", shard.element_bytes == 2 ? "uint16" : "uint32"},
          {"tokens-offset", shard.tokens_offset},
          {"document-offsets-offset", shard.documents_offset},
          {"document-offsets-checksum", shard.documents_checksum},
          {"block-checksums", shard.block_checksums}};
}

ShardEntry shard_from_json(const Reader& reader, const Json& json, const std::string& expected_name) {
  ShardEntry shard;
  shard.file = reader.text(json, "file");
  if (shard.file != expected_name) reader.fail("a shard is called ", shard.file, ", not ", expected_name);
  shard.bytes = reader.number(json, "bytes");
  shard.checksum = reader.checksum(reader.member(json, "checksum"), "checksum");
  shard.tokens = reader.number(json, "tokens");
  shard.documents = reader.number(json, "documents");
  shard.text_bytes = reader.number(json, "text-bytes");
  const std::string type = reader.text(json, "element-type");
  if (type != "uint16" && type != "uint32") reader.fail(shard.file, " has elements of type ", type);
  shard.element_bytes = type == "uint16" ? 2 : 4;
  shard.tokens_offset = reader.number(json, "tokens-offset");
  shard.documents_offset = reader.number(json, "document-offsets-offset");
  shard.documents_checksum =
      reader.checksum(reader.member(json, "document-offsets-checksum"), "document-offsets-checksum");

  // Division first: a count that does not fit the file never reaches a multiplication. A document has a token at least,
  // its end-of-text.
  if (shard.documents == 0 || shard.documents > shard.tokens || shard.tokens > shard.bytes / shard.element_bytes ||
      shard.documents > shard.bytes / 8 - std::min<std::uint64_t>(1, shard.bytes / 8))
    reader.fail(shard.file, " cannot hold ", shard.tokens, " tokens of ", shard.documents, " documents in ",
                shard.bytes, " bytes");
  if (shard.tokens_offset > shard.bytes - shard.token_bytes() ||
      shard.documents_offset > shard.bytes - shard.document_bytes())
    reader.fail("a dataset of ", shard.file, " reaches past the file's ", shard.bytes, " bytes");
  const Json& blocks = reader.member(json, "block-checksums");
  const std::uint64_t due = (shard.token_bytes() + kCorpusBlockBytes - 1) / kCorpusBlockBytes;
  if (!blocks.is_array() || blocks.size() != due) reader.fail(shard.file, " needs ", due, " block checksums");
  for (const Json& block : blocks) shard.block_checksums.push_back(reader.checksum(block, "block-checksums"));
  return shard;
}

SplitEntry split_from_json(const Reader& reader, const Json& json, Split which) {
  SplitEntry split;
  split.tokens = reader.number(json, "tokens");
  split.documents = reader.number(json, "documents");
  split.text_bytes = reader.number(json, "text-bytes");
  split.content_hash = reader.checksum(reader.member(json, "content-hash"), "content-hash");
  const Json& shards = reader.member(json, "shards");
  if (!shards.is_array()) reader.fail("shards is no list");
  std::uint64_t tokens = 0, documents = 0, text_bytes = 0;
  for (const Json& entry : shards) {
    split.shards.push_back(shard_from_json(reader, entry, shard_file_name(which, split.shards.size())));
    tokens += split.shards.back().tokens;
    documents += split.shards.back().documents;
    text_bytes += split.shards.back().text_bytes;
    if (std::max({tokens, documents, text_bytes}) > kLargest) reader.fail("the shards' counts overflow");
  }
  if (tokens != split.tokens || documents != split.documents || text_bytes != split.text_bytes)
    reader.fail("the counts of split ", split_name(which), " are not the sums of its shards'");
  return split;
}

void read_labels(const Reader& reader, const Json& root, CorpusIndex& index) {
  const Json& labels = reader.member(root, "labels");
  const std::string of = reader.text(labels, "of");
  for (const auto known : {Labels::Of::kTexts, Labels::Of::kTokens, Labels::Of::kAnswers, Labels::Of::kPreferences})
    if (of == name_of(known)) index.labels.of = known;
  if (!index.labels.any()) reader.fail("labels are of ", of);
  const Json& names = reader.member(labels, "names");
  const std::size_t least = index.labels.of_answers() ? 0 : 2, most = index.labels.of_answers() ? 0 : Labels::kMost;
  if (!names.is_array() || names.size() < least || names.size() > most)
    reader.fail("names of labels are no list of ", least, " to ", most);
  for (const Json& name : names) {
    if (!name.is_string()) reader.fail("the name of a label is no text");
    index.labels.names.push_back(name.get<std::string>());
  }
  index.token_ids = reader.number(root, "token-ids");
  if (index.token_ids == 0 || index.token_ids > INT32_MAX ||
      static_cast<std::uint64_t>(index.label_storage().ids()) > index.vocabulary_size)
    reader.fail("vocabulary-size ", index.vocabulary_size, " does not hold ", index.token_ids, " tokens and ",
                index.labels.names.size(), " labels");
}

void read_companions(const Reader& reader, const Json& root, CorpusIndex& index) {
  if (!root.contains("companions")) return;
  const Json& companions = root["companions"];
  if (!companions.is_object()) reader.fail("companions are no object");
  for (const auto& [name, entry] : companions.items()) {
    if (std::ranges::find(kChatFiles, name) == kChatFiles.end()) reader.fail("it has a companion ", name);
    index.companions[name] = {reader.number(entry, "bytes"),
                              reader.checksum(reader.member(entry, "checksum"), "checksum")};
  }
}

// A file beside the shards, as the index describes it.
std::string checked_file(const fs::path& path, std::uint64_t bytes, const std::string& checksum) {
  if (!fs::exists(path)) throw Error(ErrorCode::kNotFound, "no file ", path.string());
  std::string text = read_file(path);
  if (text.size() != bytes)
    throw Error(ErrorCode::kCorrupt, path.string(), " is damaged: it holds ", text.size(), " bytes, ", bytes,
                " are due");
  if (xxh3_128_hex(text) != checksum)
    throw Error(ErrorCode::kCorrupt, path.string(), " is damaged: its checksum does not match its content");
  return text;
}

}  // namespace

std::string_view split_name(Split split) { return split == Split::kTraining ? "training" : "validation"; }

std::string shard_file_name(Split split, std::size_t number) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%05zu", number);
  return std::string(split_name(split)) + "-" + digits + ".h5";
}

std::string index_to_json(const CorpusIndex& index) {
  Json json;
  json["checksum"] = std::string(kDigits, '0');
  json["format"] = "trireme-corpus";
  json["version"] = index.labels.any() ? kVersionWithLabels : kVersion;
  json["vocabulary-size"] = index.vocabulary_size;
  json["end-of-text"] = index.end_of_text;
  if (index.labels.any()) {
    json["token-ids"] = index.token_ids;
    json["labels"] = {{"of", name_of(index.labels.of)}, {"names", index.labels.names}};
  }
  json["tokenizer"] = {
      {"file", "tokenizer.json"}, {"bytes", index.tokenizer_bytes}, {"checksum", index.tokenizer_hash}};
  for (const auto& [name, entry] : index.companions)
    json["companions"][name] = {{"bytes", entry.bytes}, {"checksum", entry.checksum}};
  for (const Split which : kSplits) {
    const SplitEntry& split = index.split(which);
    Json shards = Json::array();
    for (const ShardEntry& shard : split.shards) shards.push_back(shard_to_json(shard));
    json["splits"][std::string(split_name(which))] = {{"tokens", split.tokens},
                                                      {"documents", split.documents},
                                                      {"text-bytes", split.text_bytes},
                                                      {"content-hash", split.content_hash},
                                                      {"shards", std::move(shards)}};
  }
  std::string text = json.dump(2) + "\n";
  text.replace(kHead.size(), kDigits, xxh3_128_hex(text));
  return text;
}

CorpusIndex index_from_json(std::string_view json, const std::string& origin) {
  const Reader reader(origin);
  if (!json.starts_with(kHead) || json.size() < kHead.size() + kDigits)
    reader.fail("it does not begin with a checksum");
  const std::string_view stated = json.substr(kHead.size(), kDigits);
  std::string zeroed(json);
  zeroed.replace(kHead.size(), kDigits, kDigits, '0');
  if (!is_checksum(stated) || xxh3_128_hex(zeroed) != stated) reader.fail("its checksum does not match its content");

  const Json root = Json::parse(zeroed, nullptr, /*allow_exceptions=*/false);
  if (root.is_discarded()) reader.fail("it is not JSON");
  if (reader.text(root, "format") != "trireme-corpus") reader.fail("it is no index of a corpus");
  const std::uint64_t version = reader.number(root, "version");
  if (version != kVersion && version != kVersionWithLabels)
    throw Error(ErrorCode::kBadInput, origin, " has format version ", version, "; this program reads versions ",
                kVersion, " and ", kVersionWithLabels);
  CorpusIndex index;
  index.vocabulary_size = reader.number(root, "vocabulary-size");
  index.end_of_text = reader.number(root, "end-of-text");
  if (index.vocabulary_size == 0 || index.vocabulary_size > INT32_MAX || index.end_of_text >= index.vocabulary_size)
    reader.fail("vocabulary-size ", index.vocabulary_size, " with end-of-text ", index.end_of_text, " is impossible");
  index.token_ids = index.vocabulary_size;
  if (version == kVersionWithLabels) read_labels(reader, root, index);
  const Json& tokenizer = reader.member(root, "tokenizer");
  index.tokenizer_bytes = reader.number(tokenizer, "bytes");
  index.tokenizer_hash = reader.checksum(reader.member(tokenizer, "checksum"), "checksum");
  if (version == kVersionWithLabels) read_companions(reader, root, index);
  if (index.tokenizer_bytes == 0 && (!index.labels.any() || index.labels.of_answers()))
    reader.fail("it has no tokenizer");
  const Json& splits = reader.member(root, "splits");
  for (const Split which : kSplits)
    index.split(which) =
        split_from_json(reader, reader.member(splits, which == Split::kTraining ? "training" : "validation"), which);
  return index;
}

CorpusIndex read_corpus_index(const fs::path& directory) {
  const fs::path path = directory / "index.json";
  if (!fs::exists(directory)) throw Error(ErrorCode::kNotFound, "no corpus ", directory.string());
  if (!fs::exists(path)) throw Error(ErrorCode::kNotFound, directory.string(), " is no corpus: it has no index.json");
  return index_from_json(read_file(path), path.string());
}

std::string read_corpus_tokenizer(const fs::path& directory, const CorpusIndex& index) {
  if (index.tokenizer_bytes == 0) return "";
  return checked_file(directory / "tokenizer.json", index.tokenizer_bytes, index.tokenizer_hash);
}

std::map<std::string, std::string> read_corpus_companions(const fs::path& directory, const CorpusIndex& index) {
  std::map<std::string, std::string> texts;
  for (const auto& [name, entry] : index.companions)
    texts[name] = checked_file(directory / name, entry.bytes, entry.checksum);
  return texts;
}

}  // namespace trireme::data
