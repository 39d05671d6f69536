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

}  // namespace trireme
