#pragma once
#include <memory>
#include <string_view>

#include "data/jinja/lexer.h"
#include "data/jinja/syntax.h"

namespace trireme::data::jinja {

/// @throws SyntaxFailure
std::unique_ptr<const Syntax> parse(std::string_view source);

}  // namespace trireme::data::jinja
