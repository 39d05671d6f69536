"""Group `tune`: what searches of trireme-tune find beside PyPI's tuners, and how long a suggestion takes. A case is one function, or `time`."""
import dataclasses
import json
import math
import statistics
import subprocess

import tune_functions
import tune_peer
import tune_runs
from measure import Better, BenchError, Group, Neighbours, clean_environment, figure, in_turns, pinned, say
from report import load, number

OURS, JUDGED = ("bayes", "tpe", "cma-es", "random", "qmc"), "trireme bayes"
PEERS = list(tune_peer.PEERS)
FLOOR = 1e-3  # of random search's median regret: what is lower counts as equal
SHARE, WORST = 0.75, 2.0  # functions on which the best peer must be reached; how far any function may lie above it
SUGGESTION, LONG_SUGGESTION = 0.2, 1.0  # of optuna-gp's at 60 points; seconds at 1,000


# --- Arithmetic: `regrets` is {tuner: [regret of each seed]} of one function.

def quartiles(values):
    """(first, median, third), between neighbours where they fall between."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    first, _, third = statistics.quantiles(values, method="inclusive")
    return first, statistics.median(values), third


def floored(regrets):
    """({tuner: median regret}, floor): below the floor medians are raised to it, so that they are equal."""
    floor = FLOOR * statistics.median(regrets["random"])
    return {tuner: max(statistics.median(values), floor) for tuner, values in regrets.items()}, floor


def best_peer(medians):
    return min((peer for peer in PEERS if peer in medians), key=medians.__getitem__)


def ranks(medians):
    """{tuner: rank from 1}; equal ones share the mean of their places."""
    ordered = sorted(medians.values())
    return {tuner: statistics.mean(place for place, other in enumerate(ordered, 1) if other == value) for tuner, value in medians.items()}


def mean_ranks(functions):
    """{tuner: mean rank over the functions}, of the peers and our method that is judged."""
    tables = [ranks({tuner: median for tuner, median in floored(regrets)[0].items() if tuner in (*PEERS, JUDGED)}) for regrets in functions]
    return {tuner: statistics.mean(table[tuner] for table in tables) for tuner in tables[0]}


def regret_figure(regrets):
    """Ours beside the best peer of this function: medians with quartiles, and what is judged, by floored medians."""
    medians, floor = floored(regrets)
    peer = best_peer(medians)
    sides = {}
    for side, tuner in (("ours", JUDGED), ("peer", peer)):
        first, median, third = quartiles(regrets[tuner])
        sides[side] = {"median": median, "min": first, "max": third, "runs": regrets[tuner]}
    above = floor or math.ulp(0.0)
    single = [max(mine, above) / max(theirs, above) for mine, theirs in zip(regrets[JUDGED], regrets[peer])]
    first, _, third = quartiles(single)
    ratio = max(medians[JUDGED], above) / max(medians[peer], above)
    return {"figure": f"regret; peer: {peer}"} | sides | {"ratio": ratio, "ratio_min": first, "ratio_max": third,
                                                          "target": f"{Better.LOWER.value} {WORST:.3g}", "met": ratio <= WORST}


def verdict(functions):
    """Figures over all functions of a set, from {name: regrets}."""
    medians = [floored(regrets)[0] for regrets in functions.values()]
    reached = sum(here[JUDGED] <= here[best_peer(here)] for here in medians)
    means = mean_ranks(functions.values())
    peer = min(PEERS, key=means.__getitem__)
    return [figure("functions on which no peer's regret is lower", [reached], [len(medians)], Better.HIGHER, SHARE),
            figure(f"mean rank; peer: {peer}", [means[JUDGED]], [means[peer]], Better.LOWER, 1.0)]


# --- Ours: the program tune_probe, one suggestion at a time.

def scalar(value):
    """As YAML that stays of its type: a float has a decimal point."""
    if isinstance(value, float):
        text = repr(value)
        mantissa, exponent, power = text.partition("e")
        return text if "." in mantissa else f"{mantissa}.0{exponent}{power}"
    return str(value)


def sweep(function, method):
    """The sweep file of a function."""
    lines = [f"method: {method}", "metric: {name: value, goal: minimize}", "parameters:"]
    for dimension in function.dimensions:
        parts = [f"values: [{', '.join(dimension.choices)}]"] if dimension.choices else [f"min: {scalar(dimension.min)}", f"max: {scalar(dimension.max)}"]
        parts += ["log: true"] if dimension.log else []
        parts += [f"when: {{{', '.join(f'{parent}: {value}' for parent, value in dimension.when.items())}}}"] if dimension.when else []
        lines.append(f"  {dimension.name}: {{{', '.join(parts)}}}")
    return "\n".join(lines) + "\n"


def search(programs, core, function, method, seed):
    """One run of ours, told of like a peer's."""
    program = subprocess.Popen(pinned([core], [programs / "tune_probe"]), env=clean_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answer(question):
        program.stdin.write(json.dumps(question) + "\n")
        program.stdin.flush()
        line = program.stdout.readline()
        if not line:
            raise BenchError(f"tune_probe ended with {program.wait()} on {function.name}, {method}, seed {seed}")
        return json.loads(line)

    values, observed, seconds = [], [], []
    try:
        answer({"sweep": sweep(function, method), "seed": seed})
        for number_of in range(function.evaluations):
            asked = answer({"ask": True})
            point = function.active(asked["params"])
            values.append(function.value(point))
            observed.append(function.observed(point, seed, number_of))
            seconds.append(asked["seconds"])
            answer({"tell": asked["trial"], "value": observed[-1]})
    except OSError:  # it has ended before it read
        raise BenchError(f"tune_probe ended with {program.wait()} on {function.name}, {method}, seed {seed}") from None
    finally:
        program.stdin.close()
        program.stdout.close()
        program.wait()
    return {"values": values, "observed": observed, "seconds": seconds}


class Tune(Group):
    about = ("regret, what the best point found loses against the known minimum, after 60 evaluations (30 in two dimensions) of functions that are known: medians of "
             "10 seeds, in brackets quartiles; medians below a thousandth of random search's count as equal. And the seconds that a suggestion takes on one core")
    peer = ("the best of random search, Sobol points, a grid, optuna's TPE, Gaussian process and CMA-ES, BoTorch and Ax (tests/bench/tune_peer.py), each function's own; "
            "for suggestions optuna's Gaussian process, and one second")
    joint = True
    seed = None  # of the drawn functions that are asked for

    @property
    def cases(self):
        """The fixed functions, `time`, and the drawn functions of this call's seed and of those that were measured before."""
        seeds = {int(case.split("-")[1]) for case in load("tune") if case.startswith("drawn-")} | ({self.seed} - {None})
        return [*tune_functions.FIXED, "time", *(name for seed in sorted(seeds) for name in tune_functions.drawn(seed))]

    def add_flags(self, parser):
        parser.add_argument("--drawn", type=int, metavar="SEED", help="tune: ten functions drawn from this seed instead of the fixed ones and `time`")
        parser.add_argument("--peers-only", action="store_true", help="tune: run what is missing in results/tune-peers.json, and nothing else; it may be stopped and goes on")

    def use_flags(self, options):
        self.seed = options.drawn
        return [flag for flag, used in (("--drawn", options.drawn is not None), ("--peers-only", options.peers_only)) if used]

    def wanted(self, options):
        return options.only or [case for case in self.cases if case.startswith(f"drawn-{self.seed}-") == (self.seed is not None)
                                and (self.seed is not None or not case.startswith("drawn-"))]

    def instead(self, options):
        if not options.peers_only:
            return None
        functions = [tune_functions.named(case) for case in self.wanted(options) if case != "time"]
        return 1 if tune_runs.fill(PEERS, functions, options.cores[-1]) else 0

    def measure(self, case, options):
        return self.times(options) if case == "time" else self.regrets(tune_functions.named(case), options)

    def regrets(self, function, options):
        core, seeds = options.cores[-1], list(tune_runs.SEEDS)
        if options.quick:
            function, seeds = dataclasses.replace(function, evaluations=12), seeds[:1]
            runs = {peer: [tune_runs.once(tune_runs.installed(), peer, function.name, seed, core, function.evaluations) for seed in seeds] for peer in PEERS[:3]}
            found, versions = {peer: [tune_runs.regrets(run["values"], run["observed"], function.minimum)[-1] for run in runs[peer]] for peer in runs}, {}
        else:
            if failed := tune_runs.fill(PEERS, [function], core):
                raise BenchError(failed[0])
            found, versions = tune_runs.final(PEERS, function, seeds)
        ours, seconds = {}, {}
        for method in OURS:
            done = [search(options.programs, core, function, method, seed) for seed in seeds]
            ours[f"trireme {method}"] = [tune_runs.regrets(run["values"], run["observed"], function.minimum)[-1] for run in done]
            seconds[method] = round(statistics.median(sum(run["seconds"]) for run in done), 4)
            say(f"{function.name}, {method}: median regret {statistics.median(ours[f'trireme {method}']):.3g}, {seconds[method]:.3g} s of suggestions")
        return {"definition": function.definition, "evaluations": function.evaluations, "peers": versions, "seconds": seconds, "regrets": ours | found}

    def times(self, options):
        """Of the last ten suggestions of a run the median. At 1,000 points one run of ours, whatever --runs says."""
        core = options.cores[-1]
        function = tune_functions.FIXED["hartmann-6"]
        long = dataclasses.replace(tune_functions.FIXED["styblinski-tang-5"], evaluations=30 if options.quick else 1000)
        if options.quick:
            function = dataclasses.replace(function, evaluations=15)
        python, last = tune_runs.installed(), 10
        turns = iter(range(1, options.runs + 1)), iter(range(1, options.runs + 1))

        def ours(function, seed):
            with Neighbours([core]):
                return statistics.median(search(options.programs, core, function, "bayes", seed)["seconds"][-last:])

        def peer():
            with Neighbours([core]):
                return statistics.median(tune_runs.once(python, "optuna-gp", function.name, next(turns[1]), core, function.evaluations)["seconds"][-last:])

        return {"figures": [
            figure("a suggestion at 60 points, s; peer: optuna-gp", *in_turns(options.runs, lambda: ours(function, next(turns[0])), peer), Better.LOWER, SUGGESTION),
            figure("a suggestion at 1,000 points, s; peer: one second", [ours(long, 1)], [1.0], Better.LOWER, LONG_SUGGESTION)]}

    @staticmethod
    def sets(results):
        """{what: {function: regrets}}: the fixed functions and each drawn ten."""
        found = {}
        for case, result in results.items():
            if "regrets" in result:
                found.setdefault("-".join(case.split("-")[:2]) if case.startswith("drawn-") else "fixed", {})[case] = result["regrets"]
        return found

    def figures(self, results):
        """Each function's own; what is judged over all of a set, once all of it is there."""
        rows = []
        for what, functions in self.sets(results).items():
            rows += [(case, regret_figure(regrets)) for case, regrets in functions.items()]
            whole = tune_functions.FIXED if what == "fixed" else tune_functions.drawn(int(what.split("-")[1]))
            if set(functions) == set(whole) and all(set(PEERS) <= set(regrets) for regrets in functions.values()):
                rows += [(f"all {len(whole)} {'fixed' if what == 'fixed' else f'of {what}'}", entry) for entry in verdict(functions)]
        return rows + [("time", entry) for entry in results.get("time", {"figures": []})["figures"]]

    def notes(self, results):
        for what, functions in self.sets(results).items():
            tuners = [tuner for tuner in (*(f"trireme {method}" for method in OURS), *PEERS) if all(tuner in regrets for regrets in functions.values())]
            means = mean_ranks(functions.values())
            medians = {case: floored(regrets)[0] for case, regrets in functions.items()}
            yield f"Median regret (quartiles); bold: the lowest, or equal to it. Ranks are among `{JUDGED}` and the peers."
            yield ""
            yield f"| {what} | {' | '.join(case.removeprefix(f'{what}-') for case in functions)} | mean rank |"
            yield "| --- |" + " --- |" * (len(functions) + 1)
            for tuner in tuners:
                cells = []
                for case, regrets in functions.items():
                    first, median, third = quartiles(regrets[tuner])
                    mark = "**" if medians[case][tuner] <= min(medians[case].values()) else ""
                    cells.append(f"{mark}{number(median)}{mark} ({number(first)} to {number(third)})")
                yield f"| {tuner} | {' | '.join(cells)} | {f'{means[tuner]:.2f}' if tuner in means else ''} |"
            versions = {label for case in functions for label in results[case].get("peers", {}).values()}
            yield ""
            if versions:
                yield f"Peers: {', '.join(sorted(versions))}."
                yield ""
