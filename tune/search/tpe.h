#pragma once
#include <memory>

#include "tune/search/method.h"

namespace trireme::tune {

/// Tree-structured Parzen estimator: one density over the better trials, one over all others (parzen.h), and the next
/// point is that of 24 draws of the first where it is largest relative to the second. Cheap, at home in spaces with
/// many choices and conditions, and indifferent to how values are scaled.
///
/// - The better ones are the first 10 % of the trials that are done, rounded up, at most 25; of several objectives in
///   the order of ranking.h. Trials that failed, and pending ones (which would else be proposed again), are of the
///   others.
/// - Parameters that are there under the same conditions form a group with its own densities over all of them jointly,
///   from the trials that have the group. A group's parents are chosen before it.
/// - Until ten trials have ended, trials are those of qmc.
/// - Where draws break constraints or were tried, up to 64 more are made, at last without choosing the best, and then
///   random ones.
///
/// Sources: Bergstra et al. 2011, NIPS, section 4; Watanabe 2023, "Tree-structured Parzen estimator: understanding its
/// algorithm components", arXiv:2304.11127; the defaults and groups are those of Optuna's TPESampler(multivariate=True,
/// group=True, constant_liar=True).
std::unique_ptr<Method> make_tpe(const MethodContext& context);

}  // namespace trireme::tune
