"""Results on disk (results/GROUP.json, a case at a time) and as tables of docs/benchmarks.md."""
import json

from measure import ROOT, BenchError

RESULTS = ROOT / "tests/bench/results"
PAGE = ROOT / "docs/benchmarks.md"


def load(group):
    path = RESULTS / f"{group}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def store(group, results, order):
    RESULTS.mkdir(exist_ok=True)
    ordered = {case: results[case] for case in order if case in results}
    (RESULTS / f"{group}.json").write_text(json.dumps(ordered, indent=1) + "\n")


def number(value):
    """Three figures at least, and no more than a reader needs."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"


def times(ratio):
    return f"{ratio:.2f}" if abs(ratio) >= 0.1 else f"{ratio:.2g}"


def spread(side):
    return f"{number(side['median'])} ({number(side['min'])} to {number(side['max'])})"


def table(group, results):
    """The group's Markdown: what each figure is, whether its target is met, and where and when it was measured."""
    lines = [f"{group.about[0].upper()}{group.about[1:]}.", f"Peer: {group.peer}.", "",
             "| case | figure | Trireme | peer | Trireme / peer | target | |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for case, entry in group.figures(results):
        ratio = f"{times(entry['ratio'])} ({times(entry['ratio_min'])} to {times(entry['ratio_max'])})"
        verdict = {True: "met", False: "**missed**", None: ""}[entry.get("met")]
        lines.append(f"| {case} | {entry['figure']} | {spread(entry['ours'])} | {spread(entry['peer'])} | {ratio} | {entry.get('target', 'none')} | {verdict} |")
    notes = list(group.notes(results))
    lines += ["", *notes] if notes else []
    lines.append("")
    for conditions, cases in by_conditions(results).items():
        lines.append(f"- {', '.join(cases)}: {conditions}")
        if shares := [results[case]["neighbours"] for case in cases if "neighbours" in results[case]]:
            lines[-1] += f"; other programs took at most {100 * max(shares):.0f} % of these cores"
    return lines


def by_conditions(results):
    found = {}
    for case, result in results.items():
        at = result["measured"]
        machine, versions = at["machine"], ", ".join(f"{name} {version}" for name, version in at["versions"].items())
        conditions = (f"{at['date']}, revision {at['revision']}, `{at['command']}`; {machine['processor']} ({machine['instructions']}), processes tied to cores "
                      f"{', '.join(map(str, at['cores']))} of {machine['cores']}, {machine['memory_gib']} GiB, {machine['system']}; {versions}")
        found.setdefault(conditions, []).append(case)
    return found


def replaced(page, name, lines):
    """The page with the generated section `name` made anew; everything else stays."""
    begin, end = f"<!-- {name}: made by scripts/bench, not to be edited -->", f"<!-- {name}: end -->"
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise BenchError(f"docs/benchmarks.md must hold '{begin}' and after it '{end}', once each")
    head, rest = page.split(begin)
    return head + "\n".join([begin, *lines, end]) + rest.split(end)[1]


def write_page(name, group, results):
    PAGE.write_text(replaced(PAGE.read_text(), name, table(group, results)))


def missed(group, results):
    return [f"{case}: {entry['figure']} is {times(entry['ratio'])} of the peer's; target: {entry['target']}"
            for case, entry in group.figures(results) if entry.get("met") is False]
