"""One peer minimises one function (tune_functions.py) once, on one thread, and one line of JSON says how it went:

.venv-peers/bin/python tests/bench/tune_peer.py PEER FUNCTION SEED [EVALUATIONS]

`values` are what the points are worth, `observed` what the peer was told, `seconds` what each suggestion took, the fit before it included. Each peer is used
the way its own documentation recommends.
"""
import functools
import importlib.metadata
import json
import logging
import sys
import time
import warnings

import numpy as np

import tune_functions


class Peer:
    """Made of a function and a seed; `ask` gives a point, which may hold more than what exists in it, and `tell` what was observed there."""
    package = "numpy"
    flat = False  # whether what exists only under a condition is asked for always

    def __init__(self, function, seed):
        self.function, self.seed = function, seed

    def tell(self, value):
        pass


class Points(Peer):
    """Points that what was observed does not change."""

    def __init__(self, function, seed):
        super().__init__(function, seed)
        self.left = iter(self.points())

    def ask(self):
        return self.function.at(next(self.left))


class Random(Points):
    def points(self):
        draw = np.random.default_rng([self.seed, 1])
        return draw.random((self.function.evaluations, len(self.function.dimensions)))


class Sobol(Points):
    package = "scipy"

    def points(self):
        from scipy.stats import qmc
        wanted = self.function.evaluations
        return qmc.Sobol(len(self.function.dimensions), scramble=True, rng=self.seed).random_base2((wanted - 1).bit_length())[:wanted]


class Grid(Points):
    """The smallest grid that has enough points, all choices of what is categorical and else the middles of equal parts, gone through in random order."""

    def points(self):
        dimensions, wanted = self.function.dimensions, self.function.evaluations
        levels = [len(dimension.choices) or 1 for dimension in dimensions]
        ceiling = [dimension.max - dimension.min + 1 if dimension.kind == "integer" else len(dimension.choices) or wanted for dimension in dimensions]

        def rows():
            """Shares of the whole grid, once each of what remains when what does not exist is left out."""
            cells = np.indices(levels).reshape(len(levels), -1).T
            shares = (cells + 0.5) / levels
            return list({tuple(sorted(self.function.at(row).items())): row for row in shares}.values())

        found = rows()
        while len(found) < wanted:
            finer = min((index for index in range(len(levels)) if levels[index] < ceiling[index]), key=levels.__getitem__)
            levels[finer] += 1
            found = rows()
        return np.random.default_rng([self.seed, 2]).permutation(found)


class Optuna(Peer):
    package = "optuna"

    def __init__(self, function, seed):
        super().__init__(function, seed)
        import optuna
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.study = optuna.create_study(direction="minimize", sampler=self.sampler(optuna.samplers))

    def ask(self):
        self.trial, point = self.study.ask(), {}
        for dimension in self.function.dimensions:
            if self.flat or all(point.get(parent) == value for parent, value in dimension.when.items()):
                point[dimension.name] = self.suggested(dimension)
        return point

    def suggested(self, dimension):
        if dimension.kind == "categorical":
            return self.trial.suggest_categorical(dimension.name, dimension.choices)
        suggest = self.trial.suggest_float if dimension.kind == "real" else self.trial.suggest_int
        return suggest(dimension.name, dimension.min, dimension.max, log=dimension.log)

    def tell(self, value):
        self.study.tell(self.trial, value)


class OptunaTpe(Optuna):
    def sampler(self, samplers):
        return samplers.TPESampler(seed=self.seed, multivariate=True, group=True)


class OptunaGp(Optuna):
    """It has no spaces with conditions ("dynamic search space is not supported"), and would take at random what it does not know."""
    flat = True
    deterministic = True

    def sampler(self, samplers):
        return samplers.GPSampler(seed=self.seed, deterministic_objective=self.deterministic and not self.function.noise)


class OptunaCma(Optuna):
    """What is categorical goes to its independent sampler; integers ask for the variant with a margin."""
    flat = True

    def sampler(self, samplers):
        margin = any(dimension.kind == "integer" for dimension in self.function.dimensions)
        return samplers.CmaEsSampler(seed=self.seed, with_margin=margin, warn_independent_sampling=False,
                                     independent_sampler=samplers.TPESampler(seed=self.seed, multivariate=True))


class Botorch(Peer):
    """A Gaussian process with BoTorch's own priors in the unit cube, standardised values, and LogEI; noisy LogEI where there is noise. Choices are
    encoded one-hot (MixedSingleTaskGP took ten seconds a fit), and where there are some or integers, the optimiser for mixed spaces is used."""
    package = "botorch"
    flat = True

    def __init__(self, function, seed):
        super().__init__(function, seed)
        import torch
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        size = len(function.dimensions)
        start = min(2 * (size + 1), 12)
        self.first = iter(torch.quasirandom.SobolEngine(size, scramble=True, seed=seed).draw(start, dtype=torch.double).tolist())
        self.rows, self.told = [], []
        self.discrete = {index: [dimension.share(value) for value in range(dimension.min, dimension.max + 1)]
                         for index, dimension in enumerate(function.dimensions) if dimension.kind == "integer"}
        self.choices = {index: list(map(float, range(len(dimension.choices)))) for index, dimension in enumerate(function.dimensions) if dimension.choices}

    def ask(self):
        shares = next(self.first, None)
        if shares is not None:
            point = {dimension.name: dimension.at(share) for dimension, share in zip(self.function.dimensions, shares)}
        else:
            point = {dimension.name: self.value(dimension, number) for dimension, number in zip(self.function.dimensions, self.best())}
        self.rows.append([self.number(dimension, point[dimension.name]) for dimension in self.function.dimensions])
        return point

    def tell(self, value):
        self.told.append(-value)

    @staticmethod
    def number(dimension, value):
        return float(dimension.choices.index(value)) if dimension.choices else dimension.share(value)

    @staticmethod
    def value(dimension, number):
        if dimension.choices:
            return dimension.choices[round(number)]
        low, high = (np.log(dimension.min), np.log(dimension.max)) if dimension.log else (dimension.min, dimension.max)
        value = low + number * (high - low)
        value = float(np.clip(np.exp(value) if dimension.log else value, dimension.min, dimension.max))
        return value if dimension.kind == "real" else round(value)

    def best(self):
        import torch
        from botorch.acquisition import LogExpectedImprovement, qLogNoisyExpectedImprovement
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from botorch.models.transforms.input import NumericToCategoricalEncoding
        from botorch.optim import optimize_acqf, optimize_acqf_mixed_alternating
        from gpytorch.mlls import ExactMarginalLogLikelihood
        x, y = torch.tensor(self.rows, dtype=torch.double), torch.tensor(self.told, dtype=torch.double)[:, None]
        sizes = {index: len(numbers) for index, numbers in self.choices.items()}
        coded = NumericToCategoricalEncoding(dim=x.shape[1], categorical_features=sizes, encoders={
            index: functools.partial(torch.nn.functional.one_hot, num_classes=count) for index, count in sizes.items()}) if sizes else None
        model = SingleTaskGP(x, y, input_transform=coded)  # it standardises y
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        gain = qLogNoisyExpectedImprovement(model, X_baseline=x) if self.function.noise else LogExpectedImprovement(model, best_f=y.max())
        bounds = torch.tensor([[0.0, self.choices[index][-1] if index in self.choices else 1.0] for index in range(x.shape[1])], dtype=torch.double).T
        if self.choices or self.discrete:
            found, _ = optimize_acqf_mixed_alternating(gain, bounds, discrete_dims=self.discrete, cat_dims=self.choices, q=1, num_restarts=10, raw_samples=512)
        else:
            found, _ = optimize_acqf(gain, bounds, q=1, num_restarts=10, raw_samples=512)
        return found[0].tolist()


class Ax(Peer):
    """Its Client with the strategy that it chooses by itself; conditions as dependent parameters."""
    package = "ax-platform"

    def __init__(self, function, seed):
        super().__init__(function, seed)
        import torch
        from ax.api.client import Client
        torch.set_num_threads(1)
        logging.disable(logging.WARNING)
        self.client = Client(random_seed=seed)
        self.client.configure_experiment(parameters=[self.parameter(dimension) for dimension in function.dimensions], name="bench")
        self.client.configure_optimization(objective="-value")
        self.client.configure_generation_strategy(initialization_random_seed=seed)

    def parameter(self, dimension):
        from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
        if not dimension.choices:
            return RangeParameterConfig(name=dimension.name, bounds=(dimension.min, dimension.max),
                                        parameter_type="float" if dimension.kind == "real" else "int", scaling="log" if dimension.log else "linear")
        under = {choice: [other.name for other in self.function.dimensions if other.when == {dimension.name: choice}]
                 for choice in dimension.choices}
        return ChoiceParameterConfig(name=dimension.name, values=list(dimension.choices), parameter_type="str", is_ordered=False,
                                     dependent_parameters={choice: names for choice, names in under.items() if names} or None)

    def ask(self):
        (self.trial, point), = self.client.get_next_trials(max_trials=1).items()
        return dict(point)

    def tell(self, value):
        self.client.complete_trial(trial_index=self.trial, raw_data={"value": value})


PEERS = {"random": Random, "sobol": Sobol, "grid": Grid, "optuna-cma": OptunaCma, "optuna-tpe": OptunaTpe, "optuna-gp": OptunaGp,
         "botorch-logei": Botorch, "ax": Ax}


@functools.cache
def version(peer):
    return importlib.metadata.version(PEERS[peer].package)


def run(kind, function, seed):
    """One run as JSON."""
    peer, values, observed, seconds = kind(function, seed), [], [], []
    for trial in range(function.evaluations):
        begin = time.perf_counter()
        point = peer.ask()
        seconds.append(round(time.perf_counter() - begin, 6))
        point = function.active(point)
        values.append(function.value(point))
        observed.append(function.observed(point, seed, trial))
        peer.tell(observed[-1])
    return {"values": values, "observed": observed, "seconds": seconds}


def main(name, function, seed, evaluations=None):
    warnings.simplefilter("ignore")
    function = tune_functions.named(function)
    if evaluations:
        import dataclasses
        function = dataclasses.replace(function, evaluations=int(evaluations))
    print(json.dumps({"peer": name, "version": version(name), "function": function.name, "seed": int(seed)} | run(PEERS[name], function, int(seed))))


if __name__ == "__main__":
    main(*sys.argv[1:])
