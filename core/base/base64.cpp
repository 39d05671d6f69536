#include "core/base/base64.h"

#include <openssl/evp.h>

#include <algorithm>

namespace trireme {

std::string base64(std::string_view bytes) {
  // The call takes an int.
  constexpr std::size_t kPiece = std::size_t{3} << 20;
  std::string text;
  for (std::size_t begin = 0; begin < bytes.size(); begin += kPiece) {
    const std::string_view piece = bytes.substr(begin, kPiece);
    std::string out((piece.size() + 2) / 3 * 4 + 1, '\0');
    const int size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                        reinterpret_cast<const unsigned char*>(piece.data()), static_cast<int>(piece.size()));
    text.append(out, 0, static_cast<std::size_t>(size));
  }
  return text;
}

std::optional<std::string> decode_base64(std::string_view text) {
  // EVP_DecodeBlock passes over white space at both ends, which is none of the alphabet.
  const auto is_known = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  if (text.size() % 4 != 0 || !std::ranges::all_of(text.substr(0, text.size() - padding), is_known))
    return std::nullopt;
  constexpr std::size_t kPiece = std::size_t{4} << 20;
  std::string bytes;
  for (std::size_t begin = 0; begin < text.size(); begin += kPiece) {
    const std::string_view piece = text.substr(begin, kPiece);
    std::string out(piece.size() / 4 * 3, '\0');
    if (EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                        reinterpret_cast<const unsigned char*>(piece.data()), static_cast<int>(piece.size())) < 0)
      return std::nullopt;
    bytes += out;
  }
  bytes.resize(bytes.size() - padding);
  return bytes;
}

}  // namespace trireme
