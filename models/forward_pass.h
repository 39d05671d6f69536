#pragma once

namespace trireme::models {

class KvCache;

/// What a forward pass is told beside tokens and weights. The default is a plain one: positions start at 0 and see only
/// each other.
struct ForwardPass {
  /// The tokens follow what the cache holds, see it, and are added to it.
  KvCache* cache = nullptr;
};

}  // namespace trireme::models
