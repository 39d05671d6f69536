#include "data/commands/decode.h"

#include <iostream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "data/tokenizer/tokenizer.h"

namespace trireme::data {

int decode(const DecodeOptions& options) {
  const Tokenizer tokenizer = Tokenizer::load(options.tokenizer);
  std::uint64_t number = 0;
  for (std::string line; std::getline(std::cin, line);) {
    ++number;
    const auto fail = [&] {
      throw Error(ErrorCode::kBadInput, "standard input line ", number, ": a JSON array of token ids is due");
    };
    const nlohmann::json json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_array()) fail();
    std::vector<TokenId> ids;
    for (const nlohmann::json& id : json) {
      if (!id.is_number_unsigned() || id.get<std::uint64_t>() > INT32_MAX) fail();
      ids.push_back(id.get<TokenId>());
    }
    std::cout << tokenizer.decode(ids);
  }
  return kExitDone;
}

}  // namespace trireme::data
