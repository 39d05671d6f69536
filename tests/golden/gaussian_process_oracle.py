"""Holds the tuner's Gaussian processes against scikit-learn's at the same hyperparameters.

    .venv/bin/python tests/golden/gaussian_process_oracle.py build/dev/bin/gaussian_process_dump

The part of single dimensions is written for scikit-learn as Matern kernels whose other length scales are 1e9.
"""
import json
import subprocess
import sys
import warnings

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

TOLERANCE = 1e-8


def kernel_of(example):
    lengths, count = np.array(example["lengths"]), len(example["lengths"])
    share = example["additive"]
    kernel = ConstantKernel(example["signal"] * (1 - share)) * Matern(lengths, nu=2.5)
    if share > 1e-12:
        for i in range(count):
            alone = np.full(count, 1e9)
            alone[i] = lengths[i] / np.sqrt(count)
            kernel += ConstantKernel(example["signal"] * share / count) * Matern(alone, nu=2.5)
    return kernel + WhiteKernel(example["noise"])


def check(example):
    known, asked = np.array(example["known"]), np.array(example["asked"])
    targets = np.array(example["targets"]) - example["mean"]
    theirs = GaussianProcessRegressor(kernel_of(example), optimizer=None, alpha=0).fit(known, targets)
    mean, deviation = theirs.predict(asked, return_std=True)
    pairs = [("log marginal likelihood", example["log_marginal_likelihood"], theirs.log_marginal_likelihood_value_),
             ("prediction", np.array(example["prediction"]), mean + example["mean"]),
             ("variance", np.array(example["variance"]), deviation**2 - example["noise"])]
    if example["additive"] < 1e-12:
        # theta: log signal, log lengths, log noise
        _, gradient = theirs.log_marginal_likelihood(theirs.kernel_.theta, eval_gradient=True)
        pairs += [("gradient by log signal", example["gradient_log_signal"], gradient[0]),
                  ("gradient by log inverse lengths", np.array(example["gradient_log_inverse_length"]), -gradient[1:-1]),
                  ("gradient by log noise", example["gradient_log_noise"], gradient[-1])]
    worst = 0
    for name, ours, other in pairs:
        error = np.max(np.abs(ours - other) / (1 + np.abs(other)))
        worst = max(worst, error)
        if not error <= TOLERANCE:
            sys.exit(f"{name} of {len(targets)} points in {known.shape[1]} dimensions: ours {ours}, scikit-learn's {other}")
    return worst


def main():
    warnings.simplefilter("ignore")  # length scales of 1e9 are near no bound of a search that is not made
    lines = subprocess.run([sys.argv[1]], capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) == 27
    worst = max(check(json.loads(line)) for line in lines)
    print(f"{len(lines)} Gaussian processes equal scikit-learn's: largest relative difference {worst:.1e}, allowed {TOLERANCE:.0e}")


main()
