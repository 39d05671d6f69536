#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace trireme {

/// XXH3 (github.com/Cyan4973/xxHash): finds damage, is no defence against an adversary.
std::uint64_t xxh3_64(const void* bytes, std::size_t size);
inline std::uint64_t xxh3_64(std::string_view text) { return xxh3_64(text.data(), text.size()); }

/// 128 bits as 32 lower-case hex digits, the form that every manifest and index of ours holds.
std::string xxh3_128_hex(const void* bytes, std::size_t size);
inline std::string xxh3_128_hex(std::string_view text) { return xxh3_128_hex(text.data(), text.size()); }

/// The same over bytes that come in pieces.
class Xxh3Stream {
 public:
  Xxh3Stream();
  ~Xxh3Stream();
  Xxh3Stream(const Xxh3Stream&) = delete;
  Xxh3Stream& operator=(const Xxh3Stream&) = delete;
  void update(const void* bytes, std::size_t size);
  std::string hex128() const;

 private:
  void* state_;
};

/// SHA-256 (FIPS 180-4): names content, so that nobody can make other content of the same name.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(const void* bytes, std::size_t size);
  void update(std::string_view text) { update(text.data(), text.size()); }
  /// 64 lower-case hex digits; ends the stream.
  std::string hex();

 private:
  void* context_;
};

}  // namespace trireme
