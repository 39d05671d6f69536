#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "data/tokenizer/tokenizer.h"

namespace trireme::data {

/// No real file comes near; a larger one is refused before it is parsed.
inline constexpr std::uint64_t kMaxTokenizerBytes = 256u << 20;
inline constexpr int kMaxTokenizerDepth = 32;
/// Ids lie in [0, kMaxTokenIds): a damaged file must not make us take memory for 2^31 tokens.
inline constexpr std::int64_t kMaxTokenIds = 1 << 22;

/// A token as a message shows it: in quotes, on one line, cut when long.
std::string quoted(const std::string& token);

/// One tokenizer.json being read: every refusal names the file, the part, the value seen and what is allowed. Whatever
/// would change ids and is not known is refused, a key that is not known among it, since it might.
class JsonReader {
 public:
  using Json = nlohmann::json;

  /// @param origin  named in messages; outlives this
  explicit JsonReader(const std::string& origin) : origin_(origin) {}

  /// @throws Error kBadInput
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    throw Error(ErrorCode::kBadInput, origin_, ": ", parts...);
  }

  /// The document, with size and depth limited and no key twice in one object (the last would win without a word).
  Json document(const std::string& text) const;

  void require_object(const Json& value, const std::string& where) const;
  /// Besides "type", which every part has.
  void require_known_keys(const Json& object, const std::string& where, const std::vector<std::string>& known) const;
  /// A member that has to be there.
  const Json& member(const Json& object, const char* key, const std::string& where) const;
  /// What `kinds`, a map by name, has for a part's "type".
  template <class Kinds>
  const auto& kind_of(const Json& part, const std::string& where, const Kinds& kinds) const {
    require_object(part, where);
    const auto type = part.find("type");
    if (type != part.end() && type->is_string())
      if (const auto kind = kinds.find(type->template get_ref<const std::string&>()); kind != kinds.end())
        return kind->second;
    std::string known;
    for (const auto& [name, kind] : kinds) known += (known.empty() ? "" : ", ") + name;
    refuse(where, ".type ", type == part.end() ? "is missing" : shown(*type) + " is not supported", "; known are ",
           known);
  }

  bool boolean(const Json& object, const char* key, const std::string& where) const;
  bool boolean(const Json& object, const char* key, const std::string& where, bool otherwise) const;
  std::string text(const Json& object, const char* key, const std::string& where) const;
  /// Absent and null give `otherwise`.
  std::string text(const Json& object, const char* key, const std::string& where, const std::string& otherwise) const;
  /// One Unicode character.
  std::string character(const Json& object, const char* key, const std::string& where) const;
  std::int64_t count(const Json& object, const char* key, const std::string& where, std::int64_t least,
                     std::int64_t most) const;
  /// One of `allowed`.
  std::string choice(const Json& object, const char* key, const std::string& where,
                     const std::vector<std::string>& allowed) const;
  TokenId id(const Json& value, const std::string& token) const;
  /// model.vocab where it is an object.
  std::vector<std::pair<std::string, TokenId>> vocabulary(const Json& model) const;

  /// Makes a part for each entry of a list.
  template <class Make>
  auto list(const Json& object, const char* key, const std::string& where, Make make) const {
    const Json& entries = member(object, key, where);
    if (!entries.is_array() || entries.size() > kMostParts)
      refuse(where, ".", key, " must be an array of at most ", kMostParts, " parts, got ", shown(entries));
    std::vector<decltype(make(entries, where))> made;
    for (const Json& entry : entries)
      made.push_back(make(entry, where + "." + key + "[" + std::to_string(made.size()) + "]"));
    return made;
  }

  /// Parts of a sequence: each goes over all of a text.
  static constexpr std::size_t kMostParts = 64;
  static std::string shown(const Json& value);
  const std::string& origin() const { return origin_; }

 private:
  const std::string& origin_;
};

}  // namespace trireme::data
