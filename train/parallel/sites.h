#pragma once
#include "core/comm/communicator.h"
#include "train/config/train_config.h"
#include "train/parallel/shards.h"

/// The places of a training job from which tensors and sums travel between ranks.
namespace trireme::train {

// Along the data axis. Buckets have a tag each: several are under way at a time.
inline const Site kGradientParts("gradient-parts", Site::Numbers::kMaster, 0, kMostBuckets),
    kGradientSums("gradient-sums", Site::Numbers::kMaster, kMostBuckets, kMostBuckets),
    kNewWeights("new-weights", Site::Numbers::kCompute, 28000, 1),
    kBorrowedWeights("borrowed-weights", Site::Numbers::kCompute, 28001, 1),
    kGatheredWeights("gathered-weights", Site::Numbers::kCompute, 28002, 1);

// Along the pipeline.
inline const Site kTiedSums("tied-sums", Site::Numbers::kMaster, 28003, 1),
    kLentWeights("lent-weights", Site::Numbers::kCompute, 28004, 1),
    kActivations("activations", Site::Numbers::kCompute, 28100, kMostChunks),
    kActivationGradients("activation-gradients", Site::Numbers::kCompute, 28100 + kMostChunks, kMostChunks),
    kScores("scores", Site::Numbers::kFloat32);

// Among all ranks.
inline const Site kLosses("losses", Site::Numbers::kFloat64), kNormParts("norm-parts", Site::Numbers::kFloat64),
    kEvaluationLosses("evaluation-losses", Site::Numbers::kFloat64),
    kCheckpointParts("checkpoint-parts", Site::Numbers::kMaster, 28005, 1);
inline const Site kCheckpointShares("checkpoint-shares", Site::Numbers::kNone, 28006, 1);

static_assert(2 * kMostBuckets <= 28000 && 28100 + 2 * kMostChunks <= kMostTag);

}  // namespace trireme::train
