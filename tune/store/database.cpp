#include "tune/store/database.h"

#include "core/base/text.h"

namespace trireme::tune {
namespace {

constexpr int kMostTries = 5;  // of a transaction that is undone again and again

template <class T>
const T& get(const Cell& cell, const char* type) {
  if (const T* value = std::get_if<T>(&cell)) return *value;
  throw Error(ErrorCode::kCorrupt, "the study's tables hold another type where ", type, " is stored");
}

}  // namespace

void Database::try_transaction(const std::function<bool()>& work) {
  begin();
  struct Undo {
    Database& database;
    bool is_needed = true;
    ~Undo() {
      database.in_transaction_ = false;
      if (is_needed) database.rollback();
    }
  } undo{*this};
  in_transaction_ = true;
  if (!work()) return;
  commit();
  undo.is_needed = false;
}

void Database::transaction(const std::function<bool()>& work) {
  if (in_transaction_) throw Error(ErrorCode::kBug, "a transaction inside of another one");
  for (int left = kMostTries;;) try {
      return try_transaction(work);
    } catch (const TransientError&) {
      if (--left == 0) throw;
    }
}

void Database::check_text(const std::string& text) {
  if (text.find('\0') != std::string::npos || !is_utf8(text))
    throw Error(ErrorCode::kBadInput, "a study stores text in UTF-8 without NUL bytes, got \"", one_line(text, 40),
                "\"");
}

std::int64_t integer_of(const Cell& cell) { return get<std::int64_t>(cell, "an integer"); }
double number_of(const Cell& cell) { return get<double>(cell, "a number"); }
const std::string& text_of(const Cell& cell) { return get<std::string>(cell, "a text"); }

}  // namespace trireme::tune
