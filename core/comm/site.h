#pragma once
#include <cstdint>
#include <vector>

namespace trireme {

/// A place in the program from which numbers travel between ranks. Who sends tensors or sums has to name its site: a
/// trace shows and counts messages by it, and a check of the checks plants faults by it.
///
/// Sites are constants of static storage, and list themselves.
class Site {
 public:
  /// What messages hold, for who has to read them on the way.
  enum class Numbers : std::uint8_t {
    kNone,  ///< texts, flags, counts: not what is learnt
    kFloat32,
    kFloat64,
    kMaster,   ///< of the type of masters and sums of gradients
    kCompute,  ///< of the type that forward computes in
  };

  /// @param name       "gradient-parts"
  /// @param first_tag  of messages between two ranks: `tags` from here on are this site's alone
  explicit Site(const char* name, Numbers numbers, int first_tag = 0, int tags = 0);
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  const char* name() const { return name_; }
  Numbers numbers() const { return numbers_; }
  int first_tag() const { return first_tag_; }
  int tags() const { return tags_; }

  /// All that this program has of which numbers() says something, in order of name.
  static std::vector<const Site*> all();

 private:
  const char* name_;
  Numbers numbers_;
  int first_tag_, tags_;
};

/// What pairs the two sides of a message up, beside their ranks.
struct Tag {
  /// @throws Error kBug  for a number beyond those of the site
  Tag(const Site& site, int number = 0);  // NOLINT(google-explicit-constructor): a site with one tag is that tag
  /// One of those above kMostTag, which transports and groups have for themselves.
  static Tag reserved(const Site& site, int value) { return {&site, value}; }

  const Site* site;
  int value;

 private:
  Tag(const Site* site, int value) : site(site), value(value) {}
};

/// Of what is said in texts, flags and counts.
extern const Site kControl;

}  // namespace trireme
