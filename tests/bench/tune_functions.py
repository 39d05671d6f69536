"""The functions that the group `tune` minimises: eight fixed ones, and ten more drawn from any seed. Nothing here measures.

A function has a list of dimensions, a budget of evaluations, and a minimum that is known. `value` is what a point is worth; `observed` is what a tuner is
told, which differs where the function is noisy. Points are dicts by name, and hold no dimension whose condition is not met.
"""
import dataclasses
import functools
import hashlib
import json
import math
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True)
class Dimension:
    """One thing to choose. `when` names other dimensions and the value of each under which this one exists."""
    name: str
    kind: str  # real, integer, categorical
    min: float | int | None = None
    max: float | int | None = None
    log: bool = False
    choices: tuple[str, ...] = ()
    when: dict[str, str] = dataclasses.field(default_factory=dict)

    def at(self, share):
        """The value at `share` of the way, 0 to 1, through this dimension; every integer and every choice gets the same part of it."""
        if self.kind == "categorical":
            return self.choices[min(int(share * len(self.choices)), len(self.choices) - 1)]
        low, high = (self.min, self.max) if self.kind == "real" else (self.min - 0.5, self.max + 0.5)
        value = math.exp(math.log(low) + share * (math.log(high) - math.log(low))) if self.log else low + share * (high - low)
        value = min(max(value, self.min), self.max)
        return value if self.kind == "real" else round(value)

    def share(self, value):
        """How far through this dimension a number is: min at 0, max at 1, by its logarithm where `log` says so."""
        to = math.log if self.log else float
        return (to(value) - to(self.min)) / (to(self.max) - to(self.min))


def real(name, low, high, **more):
    return Dimension(name, "real", float(low), float(high), **more)


def integer(name, low, high, **more):
    return Dimension(name, "integer", low, high, **more)


def categorical(name, *choices, **more):
    return Dimension(name, "categorical", choices=choices, **more)


@dataclasses.dataclass(frozen=True)
class Function:
    name: str
    dimensions: list[Dimension]  # a parent before its children
    minimum: float
    value: Callable[[dict], float]  # without noise
    evaluations: int = 60
    noise: float = 0.0  # standard deviation of what is observed

    def observed(self, point, seed, trial):
        """What a tuner is told. The noise belongs to the run and the trial: the same point asked twice gives two values."""
        return self.value(point) + (self.noise * float(np.random.default_rng([seed, trial]).standard_normal()) if self.noise else 0.0)

    def active(self, point):
        """The point without what does not exist in it: dimensions whose parents are absent or have another value."""
        kept = {}
        for dimension in self.dimensions:
            if all(kept.get(parent) == value for parent, value in dimension.when.items()):
                kept[dimension.name] = point[dimension.name]
        return kept

    def at(self, shares):
        """The point at these shares of all dimensions, in their order."""
        return self.active({dimension.name: dimension.at(share) for dimension, share in zip(self.dimensions, shares)})

    @functools.cached_property
    def definition(self):
        """Eight digits that change with the function: its description, and what it gives at some points."""
        shares = np.random.default_rng(1).random((16, len(self.dimensions)))
        described = [self.name, [dataclasses.asdict(dimension) for dimension in self.dimensions], self.evaluations, self.noise,
                     *(f"{number:.8e}" for number in (self.minimum, *(self.value(self.at(row)) for row in shares)))]
        return hashlib.sha256(json.dumps(described).encode()).hexdigest()[:8]


# --- Functions of real numbers. Each has its minimum over all of R^d at `best`: so they may be turned and moved, and what is left of the box that one usually
# sees them in cannot hold a lower one. Sources of the formulas: Surjanovic & Bingham, "Virtual Library of Simulation Experiments"; Branin and
# Hartmann: Dixon & Szego 1978.

def branin(z):
    return float((z[1] - 5.1 / (4 * math.pi**2) * z[0] ** 2 + 5 / math.pi * z[0] - 6) ** 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(z[0]) + 10)


def hartmann(weights, places):
    """A sum of bells: where its slope is 0, each coordinate is a weighted mean of their places, so no minimum lies outside the box."""
    heights, weights, places = np.array([1.0, 1.2, 3.0, 3.2]), np.array(weights), 1e-4 * np.array(places)
    return lambda z: -float(heights @ np.exp(-(weights * (z - places) ** 2).sum(axis=1)))


hartmann3 = hartmann([[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]],
                     [[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]])
hartmann6 = hartmann([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]],
                     [[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
                      [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381]])


def shekel(z):
    """With ten hollows; as with Hartmann, no minimum lies outside of what they span."""
    places = np.array([[4, 1, 8, 6, 3, 2, 5, 8, 6, 7], [4, 1, 8, 6, 7, 9, 3, 1, 2, 3.6], [4, 1, 8, 6, 3, 2, 5, 8, 6, 7], [4, 1, 8, 6, 7, 9, 3, 1, 2, 3.6]])
    widths = np.array([1, 2, 2, 4, 4, 6, 3, 7, 5, 5]) / 10
    return -float((1 / (((z[:, None] - places) ** 2).sum(axis=0) + widths)).sum())


def ackley(z):
    return float(20 + math.e - 20 * math.exp(-0.2 * math.sqrt((z @ z) / len(z))) - math.exp(np.cos(2 * math.pi * z).mean()))


def rosenbrock(z):
    return float((100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2).sum())


def levy(z):
    w = 1 + (z - 1) / 4
    middle = (w[:-1] - 1) ** 2 * (1 + 10 * np.sin(math.pi * w[:-1] + 1) ** 2)
    return float(math.sin(math.pi * w[0]) ** 2 + middle.sum() + (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2))


def styblinski_tang(z):
    return float((z**4 - 16 * z**2 + 5 * z).sum() / 2)


def rastrigin(z):
    return float((z**2 - 10 * np.cos(2 * math.pi * z) + 10).sum())


def griewank(z):
    return float((z @ z) / 4000 - np.prod(np.cos(z / np.sqrt(np.arange(1, len(z) + 1)))) + 1)


def michalewicz(z):
    """Outside [0, pi] it would have lower minima: there it is what it is at the nearest point inside, and the squared distance to it."""
    inside = np.clip(z, 0, math.pi)
    return float(((z - inside) ** 2).sum() - (np.sin(inside) * np.sin(np.arange(1, len(z) + 1) * inside**2 / math.pi) ** 20).sum())


def zakharov(z):
    slope = (np.arange(1, len(z) + 1) * z).sum() / 2
    return float(z @ z + slope**2 + slope**4)


def dixon_price(z):
    return float((z[0] - 1) ** 2 + (np.arange(2, len(z) + 1) * (2 * z[1:] ** 2 - z[:-1]) ** 2).sum())


def ellipsoid(z):
    return float((1e4 ** np.linspace(0, 1, len(z)) * z**2).sum())


def camel(z):
    x, y = z
    return float((4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (4 * y**2 - 4) * y**2)


@dataclasses.dataclass(frozen=True)
class Base:
    value: Callable
    low: list[float]
    high: list[float]
    best: list[float]
    minimum: float = 0.0


def cube(value, size, low, high, best, minimum=0.0):
    return Base(value, [low] * size, [high] * size, best if isinstance(best, list) else [best] * size, minimum)


BASES = {
    "branin": Base(branin, [-5, 0], [10, 15], [math.pi, 2.275], 10 / (8 * math.pi)),
    "hartmann-6": cube(hartmann6, 6, 0, 1, [0.20168951, 0.15001069, 0.47687398, 0.27533243, 0.31165162, 0.65730053], -3.322368011415515),
    "ackley-5": cube(ackley, 5, -32.768, 32.768, 0),
    "rosenbrock-4": cube(rosenbrock, 4, -5, 10, 1),
    "levy-10": cube(levy, 10, -10, 10, 1),
    "styblinski-tang-5": cube(styblinski_tang, 5, -5, 5, -2.9035340277711772, -39.166165703771416 * 5),
    "rastrigin-4": cube(rastrigin, 4, -5.12, 5.12, 0),
    "griewank-6": cube(griewank, 6, -600, 600, 0),
    "michalewicz-5": cube(michalewicz, 5, 0, math.pi, [2.20290552, 1.57079633, 1.28499157, 1.92305847, 1.72046977], -4.687658179088148),
    "zakharov-5": cube(zakharov, 5, -5, 10, 0),
    "dixon-price-5": cube(dixon_price, 5, -10, 10, [2 ** -((2**i - 2) / 2**i) for i in range(1, 6)]),
    "hartmann-3": cube(hartmann3, 3, 0, 1, [0.11458889, 0.55564889, 0.85254695], -3.862779787332663),
    "shekel-4": cube(shekel, 4, 0, 10, [4.00074686, 4.00059335, 3.99966310, 3.99950992], -10.536443153483528),
    "rosenbrock-6": cube(rosenbrock, 6, -5, 10, 1),
    "ackley-8": cube(ackley, 8, -32.768, 32.768, 0),
    "levy-4": cube(levy, 4, -10, 10, 1),
    "ellipsoid-6": cube(ellipsoid, 6, -5, 5, 0),
    "six-hump-camel": Base(camel, [-3, -2], [3, 2], [0.0898420131, -0.7126564030], -1.031628453489877),
}


def plain(base, name=None, **more):
    """A base function as it stands in books."""
    here = BASES[base]
    dimensions = [real(f"x{i}", low, high) for i, (low, high) in enumerate(zip(here.low, here.high))]
    return Function(name or base, dimensions, here.minimum, lambda point: here.value(np.array([point[d.name] for d in dimensions])),
                    evaluations=30 if len(dimensions) == 2 else 60, **more)


# --- A space with branches, as pipelines of machine learning have.

def bowl(*parts):
    """The sum of weighted squares of (weight, distance from the best)."""
    return sum(weight * distance**2 for weight, distance in parts)


def mixed_conditional():
    """Three models with dimensions of their own beside two shared ones. `linear` is never far from its own best, 0.5; `trees` reach 0.25; only `network` reaches
    0, but is the worst of the three at central values and nearly everywhere else: its best learning rate goes down with its width."""
    linear, trees, network = ({"model": name} for name in ("linear", "trees", "network"))
    dimensions = [
        categorical("model", "linear", "trees", "network"),
        real("rate", 1e-5, 1, log=True),
        real("sample", 0.1, 1),
        real("penalty", 1e-6, 100, log=True, when=linear),
        real("mixing", 0, 1, when=linear),
        integer("depth", 1, 16, when=trees),
        integer("leaf", 1, 64, log=True, when=trees),
        categorical("split", "gini", "entropy", "variance", when=trees),
        integer("layers", 1, 8, when=network),
        integer("width", 8, 1024, log=True, when=network),
        categorical("activation", "relu", "tanh", "leaky", when=network),
        real("slope", 0, 0.5, when={"activation": "leaky"}),  # thus of `network` alone
    ]
    of = {dimension.name: dimension for dimension in dimensions}

    def value(point):
        share = {name: of[name].share(it) for name, it in point.items() if of[name].kind != "categorical"}
        if point["model"] == "linear":
            return 0.5 + bowl((0.3, share["rate"] - 0.6), (0.1, share["sample"] - 0.8), (0.4, share["penalty"] - 0.45), (0.2, share["mixing"] - 0.4))
        if point["model"] == "trees":
            return 0.25 + {"gini": 0.05, "entropy": 0, "variance": 0.2}[point["split"]] + bowl(
                (0.8, share["rate"] - 0.8), (0.3, share["sample"] - 0.7), (1.2, share["depth"] - 5 / 15), (0.8, share["leaf"] - 0.5))
        best_rate = 0.75 - 0.6 * share["width"]  # at the best width 0.75 - 0.6 * 6 / 7
        flat = {"relu": 0.12, "tanh": 0.3, "leaky": 0.0}[point["activation"]]
        leaky = (0.8, share["slope"] - 0.2) if point["activation"] == "leaky" else (0, 0)
        return flat + bowl((6.0, share["rate"] - best_rate), (0.4, share["sample"] - 0.9), (1.5, share["layers"] - 5 / 7), (2.0, share["width"] - 6 / 7), leaky)

    return Function("mixed-conditional", dimensions, 0.0, value)


FIXED = {function.name: function for function in (
    plain("branin"), plain("hartmann-6"), plain("ackley-5"), plain("rosenbrock-4"), plain("levy-10"), plain("styblinski-tang-5"),
    mixed_conditional(), plain("hartmann-6", "noisy-hartmann-6", noise=0.1))}


# --- Drawn functions.

def moved(name, base, draw):
    """A base function, its best point moved to anywhere in the box but its rim, turned about it by any rotation or reflection in the box's own measure."""
    here = BASES[base]
    size, low, high = len(here.low), np.array(here.low, float), np.array(here.high, float)
    at = draw.uniform(0.15, 0.85, size)
    turn, upper = np.linalg.qr(draw.standard_normal((size, size)))
    turn = turn * np.sign(np.diag(upper))  # without this, rotations would not be drawn evenly
    edges = np.round(draw.uniform(-10, 10, size), 3), np.round(10 ** draw.uniform(-1, 2, size), 3)
    dimensions = [real(f"x{i}", start, start + width) for i, (start, width) in enumerate(zip(*edges))]

    def value(point):
        shares = np.array([dimension.share(point[dimension.name]) for dimension in dimensions])
        return here.value(np.array(here.best) + (high - low) * (turn @ (shares - at)))

    return Function(name, dimensions, here.minimum, value, evaluations=30 if size == 2 else 60)


def drawn_mixed(name, draw):
    """Reals, integers, a logarithm and two choices; the first choice also moves the best place of the reals. The minimum is 0."""
    dimensions = [
        categorical("kind", "a", "b", "c", "d"), categorical("way", "p", "q", "r"),
        real("x0", 0, 1), real("x1", -5, 5), real("x2", 1e-4, 10, log=True), integer("n0", 0, 12), integer("n1", 1, 256, log=True)]
    numbers = [dimension for dimension in dimensions if dimension.kind != "categorical"]
    best = {kind: {d.name: d.share(d.at(draw.uniform(0.15, 0.85))) for d in numbers} for kind in dimensions[0].choices}  # integers have theirs on an integer
    weights = {d.name: 10 ** draw.uniform(-0.5, 0.7) for d in numbers}
    worse = [dict(zip(d.choices, draw.permutation([0.0, *draw.uniform(0.1, 1, len(d.choices) - 1)]).tolist())) for d in dimensions[:2]]

    def value(point):
        here = best[point["kind"]]
        return worse[0][point["kind"]] + worse[1][point["way"]] + bowl(*((weights[d.name], d.share(point[d.name]) - here[d.name]) for d in numbers))

    return Function(name, dimensions, 0.0, value)


def drawn_conditional(name, draw):
    """Three branches of two to three dimensions beside a shared one. The lower a branch reaches, the steeper it is. The minimum is 0."""
    kinds = draw.permutation(["a", "b", "c"]).tolist()  # the first reaches 0
    dimensions = [categorical("branch", "a", "b", "c"), real("shared", 1e-4, 1, log=True)]
    for kind in "abc":
        when = {"branch": kind}
        dimensions += [real(f"{kind}-real", -1, 3, when=when), integer(f"{kind}-integer", 1, 20, when=when)]
        if draw.random() < 0.7:
            dimensions.append(real(f"{kind}-log", 1e-3, 1e3, log=True, when=when))
    numbers = [dimension for dimension in dimensions if dimension.kind != "categorical"]
    best = {kind: {d.name: d.share(d.at(draw.uniform(0.15, 0.85))) for d in numbers} for kind in kinds}
    reach = dict(zip(kinds, [0.0, *np.sort(draw.uniform(0.1, 0.6, 2)).tolist()]))
    steep = dict(zip(kinds, np.sort(draw.uniform(0.3, 6, 3))[::-1].tolist()))

    def value(point):
        kind = point["branch"]
        return reach[kind] + steep[kind] * bowl(*((1.0, d.share(point[d.name]) - best[kind][d.name]) for d in numbers if d.name in point))

    return Function(name, dimensions, 0.0, value)


def scaled(function, draw):
    """The same in another unit, with another zero."""
    unit = 10 ** draw.uniform(-3, 3)
    zero = unit * draw.normal(0, 5)
    return dataclasses.replace(function, minimum=unit * function.minimum + zero, value=lambda point: unit * function.value(point) + zero)


@functools.cache
def drawn(seed):
    """Ten functions by name that belong to this seed: eight of the bases, a mixed space and a conditional one."""
    draw = np.random.default_rng([seed, 0x7475])
    names = [*draw.permutation(list(BASES))[:8].tolist(), "mixed", "conditional"]
    functions = {}
    for index, base in enumerate(names):
        own = np.random.default_rng([seed, 0x7475, index])
        name = f"drawn-{seed}-{base}"
        function = {"mixed": drawn_mixed, "conditional": drawn_conditional}[base](name, own) if base not in BASES else moved(name, base, own)
        functions[name] = scaled(function, own)
    return functions


def named(name):
    """A fixed function, or one of a seed: drawn-7-ackley-8."""
    if name.startswith("drawn-"):
        return drawn(int(name.split("-")[1]))[name]
    return FIXED[name]
