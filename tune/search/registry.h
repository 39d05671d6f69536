#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tune/search/method.h"

namespace trireme::tune {

/// By its name in a sweep file: grid, random, qmc, bayes, tpe, cma-es, evolution.
/// @throws Error kUsage: an unknown name (with the nearest), or a space or number of objectives that it cannot search,
/// saying why and what to choose instead
std::unique_ptr<Method> make_method(const std::string& name, const MethodContext& context);

/// All names, as the sweep file may have them.
std::vector<std::string> method_names();

}  // namespace trireme::tune
