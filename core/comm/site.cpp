#include "core/comm/site.h"

#include <algorithm>
#include <string_view>

#include "core/base/error.h"

namespace trireme {
namespace {

// Made at first use: sites are made before main(), in no particular order.
std::vector<const Site*>& listed() {
  static std::vector<const Site*> sites;
  return sites;
}

}  // namespace

const Site kControl("control", Site::Numbers::kNone);

Site::Site(const char* name, Numbers numbers, int first_tag, int tags)
    : name_(name), numbers_(numbers), first_tag_(first_tag), tags_(tags) {
  if (numbers != Numbers::kNone) listed().push_back(this);
}

std::vector<const Site*> Site::all() {
  std::vector<const Site*> sites = listed();
  std::ranges::sort(sites, {}, [](const Site* site) { return std::string_view(site->name()); });
  return sites;
}

Tag::Tag(const Site& site, int number) : site(&site), value(site.first_tag() + number) {
  if (number < 0 || number >= site.tags())
    throw Error(ErrorCode::kBug, "message ", number, " of ", site.name(), ", which has ", site.tags());
}

}  // namespace trireme
