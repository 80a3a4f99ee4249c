"""Measure the filter's rules and the audit log, and print a table: what they find, what they cost.

Speeds are by CPU time, the best of three: a neighbour on the machine makes it longer, never shorter. With --gitleaks
and --presidio others' samples are the judge; they are read where the user has them, and are no part of ours.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

from benchmarks import gitleaks, presidio
from benchmarks.__main__ import machine
from fennec_cli.audit.log import AuditLog
from fennec_cli.rules.engine import RuleSet
from fennec_cli.rules.scanner import Scanner
from fennec_cli.rules.table import PERSONAL, SECRETS, Rule
from tests.rules import corpus
from tests.rules.test_corpus import hostile

SIZE = 2_000_000
CHUNK = 12  # characters: about three tokens
Line = tuple[str, str, str]  # figure, value, goal


def main() -> int:
    options = _options()
    if options.gitleaks:
        return _printed(gitleaks.measured(options.gitleaks, RuleSet(SECRETS).matches))
    if options.presidio:
        return _printed(presidio.measured(options.presidio, RuleSet(PERSONAL).matches))
    texts = corpus.clean(SIZE)
    return _printed([*speeds(texts), *streams(texts), *found(), *alarms(texts), slowest(), *appends()])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rules", description=__doc__)
    parser.add_argument("--gitleaks", type=Path, metavar="DIR", help="a checkout of gitleaks: measure with its samples")
    parser.add_argument("--presidio", type=Path, metavar="FILE", help="a wheel of presidio-evaluator: likewise")
    return parser.parse_args()


def _printed(measured: Iterable[Line]) -> int:
    lines = list(measured)
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    print(machine())
    return 0


def speeds(texts: dict[str, str]) -> list[Line]:
    default, everything = RuleSet(SECRETS), RuleSet(SECRETS + PERSONAL)
    lines = []
    for name, text in texts.items():
        for what, rules in (("default rules", default), ("all rules", everything)):
            goal = ">= 50" if rules is default else ""
            lines.append((f"{what}, clean {name}, MB/s", f"{len(text) / 1e6 / _cpu(rules.matches, text):.0f}", goal))
    return lines


def streams(texts: dict[str, str]) -> list[Line]:
    """What a chunk costs, and how much is held back while nothing has begun that could be found."""
    lines = []
    for what, rules in (("default rules", RuleSet(SECRETS)), ("all rules", RuleSet(SECRETS + PERSONAL))):
        scanner, costs, held = Scanner(rules), [], []
        for place in range(0, 200_000, CHUNK):
            chunk = texts["prose"][place : place + CHUNK]
            begin = time.perf_counter()
            scanner.feed(chunk)
            costs.append(time.perf_counter() - begin)
            held.append(scanner.held)
        lines.append((f"{what}, streamed chunk, us (median)", f"{median(costs) * 1e6:.1f}", "<= 50"))
        share = sorted(held)[int(len(held) * 0.999)]
        lines.append((f"{what}, held back, characters (median, 99.9 %)", f"{median(held):.0f}, {share}", "<= 32"))
    return lines


def found() -> list[Line]:
    secrets, personal = RuleSet(SECRETS), RuleSet(PERSONAL)
    cases = corpus.secrets(100, random.Random(41))
    hits = sum(bool(secrets.matches(text)) for _, text in cases)
    lines = [(f"recall, {len(cases)} secrets", f"{hits / len(cases):.4f}", ">= 0.99")]
    wanted: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for text, values in corpus.personal(1000, 42):
        spans = {(match.rule.name, text[match.start : match.end]) for match in personal.matches(text)}
        for kind, value in values:
            wanted[kind] += 1
            seen[kind] += (kind, value) in spans
    lines += [
        (f"recall, {wanted[kind]} x {kind}", f"{seen[kind] / wanted[kind]:.4f}", ">= 0.95") for kind in corpus.CLAIMED
    ]
    return lines


def alarms(texts: dict[str, str]) -> list[Line]:
    rules = RuleSet(SECRETS + tuple(rule for rule in PERSONAL if rule.name != "email"))
    return [
        (f"false alarms in {name}, per 100 kB", f"{len(rules.matches(text)) / (len(text) / 1e5):.2f}", "<= 1")
        for name, text in texts.items()
    ]


def slowest() -> Line:
    def worst(rule: Rule) -> float:
        rules = RuleSet([rule])
        return max(_cpu(rules.matches, text, times=1) for text in hostile(rule))

    seconds, rule = max((worst(rule), rule.name) for rule in SECRETS + PERSONAL)
    return (f"slowest rule on 1 MiB of hostile text ({rule}), s", f"{seconds:.2f}", "< 1")


def appends() -> list[Line]:
    with tempfile.TemporaryDirectory(prefix="fennec-bench-") as name:
        log = AuditLog(Path(name, "audit.jsonl"), key=lambda: b"key", fsync="never")
        costs = []
        for turn in range(2000):
            begin = time.perf_counter()
            log.append({"event": "request", "id": f"{turn:016}", "gen_ai.request.model": "m", "fennec.version": "1"})
            costs.append(time.perf_counter() - begin)
        log.close()
    return [("audit record, us (median)", f"{median(costs) * 1e6:.0f}", "")]


def _cpu(work: Callable[[str], object], text: str, *, times: int = 3) -> float:
    taken = []
    for _ in range(times):
        begin = time.process_time()
        work(text)
        taken.append(time.process_time() - begin)
    return min(taken)


if __name__ == "__main__":
    sys.exit(main())
