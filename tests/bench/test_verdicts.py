from dataclasses import replace

import pytest

from tests.bench.findings import Findings
from tests.bench.machine import Machine
from tests.bench.plan import CROWD, KEY
from tests.bench.rate import RateTrial
from tests.bench.rivals import Rival
from tests.bench.start import Starts
from tests.bench.trial import Measured
from tests.bench.verdicts import Verdict, judge

MACHINE = Machine("a processor", 2, 4.0, "6.1", "3.11.7", "RabbitMQ 4.0.5", {}, 70_000.0, 0.1, "2026-01-01")


def measured(
    rival: Rival, cell: tuple[int, float] = KEY, *, cpu_ms: float = 1.0, per_second: float = 500.0
) -> Measured:
    return Measured(
        rival=rival,
        in_flight=cell[0],
        latency=cell[1],
        body_size=81,
        backlog=1000,
        ledger_rows=0,
        requests=1000,
        per_second=per_second,
        cpu_ms=cpu_ms,
        cores=0.9,
        peak_mib=80.0,
        p50_ms=7.0,
        p99_ms=20.0,
        steady_rate=100.0,
        cut_short=False,
        lost=0,
        odd=0,
        doubled=0,
        repeated=0,
    )


def verdict(findings: Findings, words: str) -> Verdict:
    (found,) = (each for each in judge(findings) if words in each.promise)
    return found


def test_cpu_is_compared_round_by_round_and_the_median_counts() -> None:
    findings = Findings(MACHINE)
    for ours, bare in ((9.0, 1.0), (1.2, 1.0), (2.4, 2.0)):
        findings.throughput += [measured(Rival.SQLITE, cpu_ms=ours), measured(Rival.BARE, cpu_ms=bare)]
    found = verdict(findings, "SQLite: at most 1.25 x bare loop")
    assert found.holds
    assert "1.20" in found.figure


def test_a_ratio_above_its_limit_breaks_the_promise() -> None:
    findings = Findings(MACHINE)
    findings.throughput = [measured(Rival.NONE, cpu_ms=1.11), measured(Rival.BARE, cpu_ms=1.0)]
    assert not verdict(findings, "no ledger: at most 1.10").holds


@pytest.mark.parametrize(("bare_ms", "per_second", "holds"), [(0.5, 950, True), (0.5, 850, False), (1.6, 460, True)])
def test_the_crowd_is_held_to_the_calls_or_to_the_promised_cpu_whichever_allows_less(
    bare_ms: float,
    per_second: float,
    holds: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    findings = Findings(MACHINE)
    findings.throughput = [
        measured(Rival.SQLITE, CROWD, per_second=per_second),
        measured(Rival.BARE, CROWD, cpu_ms=bare_ms),
    ]
    assert verdict(findings, "x the CPU of the bare loop allows").holds is holds


def test_memory_of_the_crowd_has_a_limit() -> None:
    findings = Findings(MACHINE)
    findings.throughput = [replace(measured(Rival.SQLITE, CROWD), peak_mib=201.0), measured(Rival.BARE, CROWD)]
    assert not verdict(findings, "at most 200 MiB").holds


TRIAL = RateTrial(100.0, 4, 25.0, 25.0, 0.97, 0.03, 4.0, 6.5, 0.1, [])


def test_the_worst_trial_under_a_rate_limit_counts() -> None:
    findings = Findings(
        MACHINE, rate=[TRIAL, replace(TRIAL, goodput=0.9, refused=0.2, after_half=16.0, unevenness=0.3)]
    )
    rate = [each for each in judge(findings) if "limit" in each.promise]
    assert [each.holds for each in rate] == [False, False, False, False]
    assert [each.holds for each in judge(Findings(MACHINE, rate=[TRIAL])) if "limit" in each.promise] == [True] * 4


def test_what_never_settles_breaks_the_promise() -> None:
    findings = Findings(MACHINE, rate=[replace(TRIAL, after_double=None)])
    found = verdict(findings, "halves or doubles")
    assert not found.holds
    assert found.figure == "1 of 2 never were"


def test_a_single_worker_is_not_held_to_evenness() -> None:
    assert not [each for each in judge(Findings(MACHINE, rate=[replace(TRIAL, workers=1)])) if "±" in each.promise]


def test_the_median_start_counts() -> None:
    findings = Findings(MACHINE, starts=Starts([0.9, 0.8, 5.0], [2.0], [0.5, 0.41, 0.3]))
    assert verdict(findings, "consuming").holds
    assert not verdict(findings, "import").holds


@pytest.mark.parametrize("fault", ["lost", "odd", "doubled", "repeated"])
def test_a_run_of_ours_that_went_wrong_spoils_the_report(fault: str) -> None:
    findings = Findings(MACHINE, throughput=[measured(Rival.SQLITE)])
    assert verdict(findings, "no request of the bench lost").holds
    findings.growth = {"backlog": [replace(measured(Rival.SQLITE), **{fault: 1})]}  # type: ignore[arg-type] # four are int
    assert not verdict(findings, "no request of the bench lost").holds


def test_what_was_not_measured_is_not_judged() -> None:
    assert [each.promise for each in judge(Findings(MACHINE)) if "endpoint" not in each.promise] == []


def test_a_slow_endpoint_would_be_what_is_measured() -> None:
    assert not verdict(Findings(replace(MACHINE, endpoint_per_second=900.0)), "no bottleneck").holds
