#include "core/base/hash.h"

#include <openssl/evp.h>
#include <xxhash.h>

#include <array>

#include "core/base/error.h"

namespace trireme {
namespace {

std::string hex(const unsigned char* bytes, std::size_t size) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * size);
  for (std::size_t i = 0; i < size; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

std::string hex(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  return hex(canonical.digest, sizeof canonical.digest);
}

void check(bool ok) {
  if (!ok) throw Error(ErrorCode::kBug, "SHA-256 of the OpenSSL library failed");
}

}  // namespace

std::uint64_t xxh3_64(const void* bytes, std::size_t size) { return XXH3_64bits(bytes, size); }
std::string xxh3_128_hex(const void* bytes, std::size_t size) { return hex(XXH3_128bits(bytes, size)); }

Xxh3Stream::Xxh3Stream() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_128bits_reset(static_cast<XXH3_state_t*>(state_));
}
Xxh3Stream::~Xxh3Stream() { XXH3_freeState(static_cast<XXH3_state_t*>(state_)); }
void Xxh3Stream::update(const void* bytes, std::size_t size) {
  XXH3_128bits_update(static_cast<XXH3_state_t*>(state_), bytes, size);
}
std::string Xxh3Stream::hex128() const { return hex(XXH3_128bits_digest(static_cast<XXH3_state_t*>(state_))); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  check(context_ && EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_), EVP_sha256(), nullptr));
}
Sha256::~Sha256() { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_)); }
void Sha256::update(const void* bytes, std::size_t size) {
  check(EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), bytes, size));
}
std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  check(EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), digest.data(), &size));
  return trireme::hex(digest.data(), size);
}

}  // namespace trireme
