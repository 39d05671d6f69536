#pragma once
#include <span>

#include "data/jinja/builtin.h"

namespace trireme::data::jinja {

/// What templates can call, by what it works on. builtin.cpp looks names up in them.
std::span<const Builtin> text_filters();
std::span<const Builtin> sequence_filters();
std::span<const Builtin> value_filters();
std::span<const Builtin> test_table();
std::span<const Builtin> global_table();
std::span<const Builtin> text_methods();
std::span<const Builtin> list_methods();
std::span<const Builtin> dict_methods();
std::span<const Builtin> loop_methods();
std::span<const Builtin> cycler_methods();

/// Whether a name is one of those between single spaces.
bool is_listed(std::string_view names, std::string_view name);

}  // namespace trireme::data::jinja
