#include "data/jinja/template.h"

#include "core/base/text.h"
#include "data/jinja/characters.h"
#include "data/jinja/parser.h"

namespace trireme::data::jinja {
namespace {

using Json = nlohmann::ordered_json;

Value value_of(Heap& heap, const Json& json, int depth) {
  if (depth > kMaxValueDepth) fail("the variables are nested deeper than ", kMaxValueDepth, " levels");
  switch (json.type()) {
    case Json::value_t::boolean:
      return Value(json.get<bool>());
    case Json::value_t::number_integer:
      return Value(json.get<std::int64_t>());
    case Json::value_t::number_unsigned:
      if (json.get<std::uint64_t>() > INT64_MAX)
        fail("the variables have the number ", json.get<std::uint64_t>(), ", which is beyond 64 bits");
      return Value(json.get<std::int64_t>());
    case Json::value_t::number_float:
      return Value(json.get<double>());
    case Json::value_t::string: {
      const std::string& text = json.get_ref<const std::string&>();
      if (!is_utf8(text)) fail("the variables have a text that is no UTF-8");
      return make_text(heap, text);
    }
    case Json::value_t::array: {
      std::vector<Value> items;
      items.reserve(json.size());
      for (const Json& item : json) items.push_back(value_of(heap, item, depth + 1));
      return make_list(heap, std::move(items));
    }
    case Json::value_t::object: {
      const Ref<Dict> dict = make_dict(heap);
      for (const auto& [key, value] : json.items()) {
        if (!is_utf8(key)) fail("the variables have a key that is no UTF-8");
        dict->set(make_text(heap, key), value_of(heap, value, depth + 1));
      }
      return Value(Kind::kDict, dict);
    }
    default:
      return {};
  }
}

/// The bytes at which ranges of characters lie.
std::vector<std::pair<std::size_t, std::size_t>> in_bytes(
    std::string_view text, const std::vector<std::pair<std::size_t, std::size_t>>& ranges) {
  std::vector<std::pair<std::size_t, std::size_t>> found;
  std::size_t character = 0, byte = 0;
  for (const auto& [from, to] : ranges) {
    // Ranges come in order, but for those of blocks in each other.
    if (from < character) character = byte = 0;
    byte += byte_of_character(text.substr(byte), from - character, false);
    character = from;
    found.emplace_back(byte, byte + byte_of_character(text.substr(byte), to - from, false));
  }
  return found;
}

}  // namespace

Template Template::parse(const std::string& source, const std::string& origin) {
  if (source.size() > kMaxTemplateBytes)
    throw Error(ErrorCode::kBadInput, origin, ": is ", bytes_text(static_cast<double>(source.size())),
                ", a template may have ", bytes_text(static_cast<double>(kMaxTemplateBytes)));
  if (!is_utf8(source)) throw Error(ErrorCode::kBadInput, origin, ": is not UTF-8, which a template must be");
  Template made(source, origin);
  try {
    made.syntax_ = jinja::parse(source);
  } catch (const SyntaxFailure& failure) {
    throw Error(ErrorCode::kBadInput, origin, ": line ", failure.line, ": ", failure.text);
  }
  return made;
}

Template::Rendered Template::render(const Json& variables, const Budget& budget, const Clock& clock) const {
  Heap heap(budget);
  Interpreter interpreter(*syntax_, heap, clock);
  try {
    heap.lift_limits();
    const Value dict = value_of(heap, variables, 0);
    if (!dict.is(Kind::kDict)) fail("the variables of a template must be an object");
    heap.free_of_charge();
    auto [text, generated] = interpreter.run(Ref<Dict>(&dict.object<Dict>()));
    auto ranges = in_bytes(text, generated);
    return {std::move(text), std::move(ranges)};
  } catch (const Failure& failure) {
    throw Error(ErrorCode::kBadInput, origin_, ": line ", interpreter.line(), ": ", failure.text);
  } catch (const Raised& raised) {
    throw TemplateRaised(origin_, interpreter.line(), raised.message);
  }
}

}  // namespace trireme::data::jinja
