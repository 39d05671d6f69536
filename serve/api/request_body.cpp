#include "serve/api/request_body.h"

#include <algorithm>

#include "core/base/strict_json.h"
#include "core/base/text.h"
#include "serve/api/request_error.h"

namespace trireme::serve {
namespace {

using nlohmann::json;

constexpr std::int64_t kMostPrompts = 4096;

}  // namespace

RequestBody::RequestBody(const json& body) : body_(body) {
  if (!body.is_object()) throw RequestError("", "the body must be an object, got ", json_excerpt(body));
}

const json* RequestBody::find(const char* key) const {
  const auto found = body_.find(key);
  return found == body_.end() || found->is_null() ? nullptr : &*found;
}

std::int64_t RequestBody::integer(const char* key, std::int64_t otherwise, std::int64_t least,
                                  std::int64_t most) const {
  const json* const value = find(key);
  if (!value) return otherwise;
  // A number of 64 bits without a sign is larger than any that is allowed.
  if (!value->is_number_integer() || (value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX) ||
      value->get<std::int64_t>() < least || value->get<std::int64_t>() > most)
    throw RequestError(key, key, " must be a whole number from ", least, " to ", most, ", got ", json_excerpt(*value));
  return value->get<std::int64_t>();
}

double RequestBody::number(const char* key, double otherwise, double least, double most) const {
  const json* const value = find(key);
  if (!value) return otherwise;
  if (!value->is_number() || !(value->get<double>() >= least && value->get<double>() <= most))
    throw RequestError(key, key, " must be a number from ", to_text(least), " to ", to_text(most), ", got ",
                       json_excerpt(*value));
  return value->get<double>();
}

bool RequestBody::flag(const char* key) const {
  const json* const value = find(key);
  if (!value) return false;
  if (!value->is_boolean()) throw RequestError(key, key, " must be true or false, got ", json_excerpt(*value));
  return value->get<bool>();
}

std::string RequestBody::text(const char* key) const {
  const json* const value = find(key);
  if (!value) return "";
  if (!value->is_string()) throw RequestError(key, key, " must be a text, got ", json_excerpt(*value));
  return value->get<std::string>();
}

void RequestBody::expect(const char* key, const json& honoured) const {
  const json* const value = find(key);
  if (value && *value != honoured)
    throw RequestError(key, key, " ", json_excerpt(*value), " is not supported yet; allowed: ", json_excerpt(honoured));
}

void RequestBody::expect_known(const std::vector<std::string_view>& known) const {
  for (const auto& [key, value] : body_.items())
    if (std::ranges::find(known, key) == known.end() && !value.is_null())
      throw RequestError(key, "the field ", json_excerpt(json(key)), " is not known");
}

std::vector<std::int64_t> token_ids(const json& list, const char* key) {
  std::vector<std::int64_t> ids;
  for (const json& id : list) {
    if (!id.is_number_integer() || (id.is_number_unsigned() && id.get<std::uint64_t>() > INT64_MAX))
      throw RequestError(key, key, " must hold whole numbers, got ", json_excerpt(id));
    ids.push_back(id.get<std::int64_t>());
  }
  return ids;
}

std::vector<Prompt> RequestBody::prompts(const char* key) const {
  const json* const prompt = find(key);
  if (!prompt) throw RequestError(key, key, " is missing: a text, token ids, or a list of either");
  if (prompt->is_string()) return {prompt->get<std::string>()};
  if (!prompt->is_array() || prompt->empty())
    throw RequestError(key, key, " must be a text, token ids, or a list of either, got ", json_excerpt(*prompt));
  if (prompt->front().is_number()) return {token_ids(*prompt, key)};
  if (prompt->size() > kMostPrompts)
    throw RequestError(key, key, " has ", prompt->size(), " prompts; at most ", kMostPrompts, " are allowed");
  std::vector<Prompt> prompts;
  for (const json& one : *prompt) {
    if (one.is_string() && prompt->front().is_string())
      prompts.emplace_back(one.get<std::string>());
    else if (one.is_array() && prompt->front().is_array())
      prompts.emplace_back(token_ids(one, key));
    else
      throw RequestError(key, key, " must be a list of texts or of lists of token ids, got ", json_excerpt(*prompt));
  }
  return prompts;
}

}  // namespace trireme::serve
