#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tune/search/method.h"

namespace trireme::tune {

/// How much of an objective's variance over the space is one parameter's doing.
struct Importance {
  std::string name;
  double share;
};

/// How much is the doing of two together, beyond what each does alone.
struct PairImportance {
  std::string first, second;  ///< in the order of the space
  double share;
};

/// Main effects by functional ANOVA: 64 random trees learn the objective, and each tree's variance is divided exactly
/// (tree_anova.h). A share is the variance of the mean over all other parameters by the variance of the whole, averaged
/// over the trees. Shares add up to at most 1; what is missing is interactions, and noise that the trees have learnt.
///
/// The space counts evenly, by positions (dimension.h): a log range by its logarithm, all choices alike. A search looks
/// where it is good, so of the rest the trees know less; random trials give the fairest shares. A conditional
/// parameter has no effect where it is not there: its share is of the variance of the whole, and what being in a branch
/// does at all is its parent's share.
///
/// The trap: a few diverged trials have nearly all variance, and the answer would be what makes trials diverge. So a
/// value counts at most as twice as far from the best as three quarters of all values are. That changes nothing of
/// values without a long tail, where ranks instead of values would change all shares.
///
/// Source: Hutter, Hoos and Leyton-Brown 2014, "An efficient approach for assessing hyperparameter importance", ICML.
///
/// @param objective  place among an observation's values
/// @param seed       of the trees: same trials and seed, same shares
/// @returns all parameters, most important first; all 0 when the values are all the same
/// @throws Error kBadInput: fewer than ten complete trials, or no such objective
std::vector<Importance> fanova_importance(const Space& space, const History& history, std::size_t objective,
                                          std::uint64_t seed);

/// Interactions of two parameters, by the same trees. @returns the `most` largest, largest first
std::vector<PairImportance> fanova_pairs(const Space& space, const History& history, std::size_t objective,
                                         std::uint64_t seed, std::size_t most = 10);

/// Total effects by the Gaussian process of Bayesian search: how much of the variance would be left, on average, if all
/// other parameters were known. Interactions count for each of their parameters, so shares may add up to more than 1.
/// It needs far fewer trials than trees do, where the objective is smooth. The variance is that of the transformed
/// objective (output_transform.h), which is logarithmic far from the best value: bad trials count for little.
///
/// Length scales alone would mislead: they are short where a function bends, not where it varies (Paananen et al. 2019,
/// "Variable selection for Gaussian processes via sensitivity analysis of the posterior predictive distribution",
/// AISTATS). So the fitted function itself is asked, at draws of the space that differ in one parameter.
/// Source of the estimate: Jansen 1999, "Analysis of variance designs for model output", Comput. Phys. Commun. 117.
///
/// Of more than 200 complete trials, 200 are used, evenly spread over the history.
/// @returns and throws as fanova_importance
std::vector<Importance> kernel_importance(const Space& space, const History& history, std::size_t objective);

}  // namespace trireme::tune
