// Functions that every template has.
#include <ctime>

#include "data/jinja/interpreter.h"
#include "data/jinja/iteration.h"
#include "data/jinja/printing.h"
#include "data/jinja/tables.h"

namespace trireme::data::jinja {
namespace {

constexpr std::int64_t kMaxRange = 100000;  // of Jinja's sandbox

Value range(Interpreter& in, const Value&, Bound& arguments) {
  const bool has_start = arguments.has(1);
  const std::int64_t start = has_start ? arguments.integer(0, 0) : 0;
  const std::int64_t stop = arguments.integer(has_start ? 1 : 0, 0);
  const std::int64_t step = arguments.integer(2, 1);
  if (step == 0) fail("the step of a range cannot be 0");
  const __int128 between = step > 0 ? static_cast<__int128>(stop) - start : static_cast<__int128>(start) - stop;
  const __int128 stride = step > 0 ? static_cast<__int128>(step) : -static_cast<__int128>(step);
  const __int128 length = between <= 0 ? 0 : (between - 1) / stride + 1;
  if (length > kMaxRange) fail("a range has at most ", kMaxRange, " items");
  return Value(Kind::kRange, in.heap().make<Range>(0, start, stop, step, static_cast<std::int64_t>(length)));
}

/// dict(mapping or pairs, name=value)
Ref<Dict> dict_of(Interpreter& in, const Arguments& given) {
  if (given.positional.size() > 1) fail("a dict is made of at most one value and of names");
  const Ref<Dict> dict = make_dict(in.heap());
  if (!given.positional.empty()) {
    const Value& source = given.positional[0];
    if (source.is(Kind::kUndefined)) fail(source.text());
    if (source.is(Kind::kDict)) {
      for (const auto& [key, value] : source.object<Dict>().entries) dict->set(key, value);
    } else {
      const Ref<Iterator> walk = iterate(in.heap(), source);
      while (const auto pair = walk->next(in)) {
        const std::vector<Value> parts = listed(in, *pair);
        if (parts.size() != 2) fail("a dict is made of pairs, got ", parts.size(), " values");
        dict->set(parts[0], parts[1]);
      }
    }
  }
  for (const auto& [name, value] : given.named) dict->set(in.text(name), value);
  return dict;
}

Value dict(Interpreter& in, const Value&, Bound& arguments) { return Value(Kind::kDict, dict_of(in, arguments.all())); }

Value namespace_of(Interpreter& in, const Value&, Bound& arguments) {
  const Ref<Dict> members = dict_of(in, arguments.all());
  for (const auto& [name, value] : members->entries)
    if (name.is(Kind::kText) && name.text().starts_with('_')) fail("a member of a namespace cannot begin with '_'");
  return Value(Kind::kNamespace, in.heap().make<Namespace>(0, members));
}

Value cycler(Interpreter& in, const Value&, Bound& arguments) {
  if (arguments.all().positional.empty() || !arguments.all().named.empty()) fail("cycler() takes values, at least one");
  return Value(Kind::kCycler, in.heap().make<Cycler>(0, arguments.all().positional));
}

Value joiner(Interpreter& in, const Value&, Bound& arguments) {
  return Value(Kind::kJoiner, in.heap().make<Joiner>(0, arguments.has(0) ? arguments[0] : in.text(", ")));
}

Value raise_exception(Interpreter& in, const Value&, Bound& arguments) {
  throw Raised{printed(in.heap(), arguments[0])};
}

Value strftime_now(Interpreter& in, const Value&, Bound& arguments) {
  const auto format = arguments.text(0);
  if (!format) fail("strftime_now() takes a text");
  const auto now = in.clock()();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm local{};
  localtime_r(&seconds, &local);
  TextBuilder text(in.heap());
  in.heap().step_bytes(format->size() * 4);
  for (std::size_t at = 0; at < format->size(); ++at) {
    if ((*format)[at] != '%' || at + 1 == format->size()) {
      text += (*format)[at];
      continue;
    }
    std::string directive(format->substr(at++, 2));
    if (directive == "%-" && at + 1 < format->size()) directive += (*format)[++at];
    if (directive == "%f") {
      const auto micros =
          std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count() % 1000000;
      const std::string digits = std::to_string(micros);
      text += std::string(6 - digits.size(), '0') + digits;
    } else if (directive != "%z" && directive != "%Z") {  // a time that knows no zone
      char shown[128];
      text += std::string_view(shown, std::strftime(shown, sizeof shown, directive.c_str(), &local));
    }
  }
  return text.value();
}

constexpr Builtin kGlobals[] = {
    {"cycler", "*", 0, cycler},
    {"dict", "*", 0, dict},
    {"joiner", "sep", 0, joiner},
    {"namespace", "*", 0, namespace_of},
    {"raise_exception", "message", 1, raise_exception},
    {"range", "/ start stop step", 1, range},
    {"strftime_now", "format", 1, strftime_now},
};

}  // namespace

std::span<const Builtin> global_table() { return kGlobals; }

}  // namespace trireme::data::jinja
