"""The promises, the figures that they are held against, and whether they hold."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from statistics import median

from tests.bench.findings import Findings
from tests.bench.goodput import GOOD_SHARE, REFUSED_SHARE
from tests.bench.plan import CROWD
from tests.bench.rivals import Rival
from tests.bench.trial import Measured

SETTLED_WITHIN = 15.0
_APART = 0.20
_SQLITE_SHARE = 1.25
_CROWD_SHARE = 0.90
_CROWD_MIB = 200
_START = 1.0
_IMPORT = 0.4
_NO_BOTTLENECK = 5000


@dataclass(frozen=True, slots=True)
class Verdict:
    """One promise. `figure` says what was measured."""

    promise: str
    figure: str
    holds: bool

    @property
    def sentence(self) -> str:
        return f"{'holds' if self.holds else 'BROKEN'}: {self.promise}: {self.figure}"


def judge(findings: Findings) -> list[Verdict]:
    """Judge every promise that was measured."""
    return [*_cpu(findings), *_crowd(findings), *_rate(findings), *_start(findings), *_sound(findings)]


def _cpu(findings: Findings) -> Iterator[Verdict]:
    for ours, theirs, most in (
        (Rival.SQLITE, Rival.BARE, _SQLITE_SHARE),
        (Rival.SQLITE, Rival.FASTSTREAM, 0.25),
        (Rival.NONE, Rival.BARE, 1.10),
    ):
        ratios = cpu_ratios(findings.key(ours), findings.key(theirs))
        if ratios:
            yield Verdict(
                f"CPU per request, {ours.called}: at most {most:.2f} x {theirs.called}",
                f"{median(ratios):.2f} (median of {len(ratios)}, {min(ratios):.2f} to {max(ratios):.2f})",
                median(ratios) <= most,
            )


def cpu_ratios(ours: list[Measured], theirs: list[Measured]) -> list[float]:
    """Compare round by round: the machine may have changed in between."""
    return [mine.cpu_ms / other.cpu_ms for mine, other in zip(ours, theirs, strict=False)]


def _crowd(findings: Findings) -> Iterator[Verdict]:
    rounds, bare = findings.of(Rival.SQLITE, *CROWD), findings.of(Rival.BARE, *CROWD)
    if not rounds or not bare:
        return
    in_flight, latency = CROWD
    allowed = in_flight / latency
    shares = [
        mine.per_second / min(allowed, 1000 / (_SQLITE_SHARE * theirs.cpu_ms))
        for mine, theirs in zip(rounds, bare, strict=False)
    ]
    rates, peaks = [each.per_second for each in rounds], [each.peak_mib for each in rounds]
    yield Verdict(
        f"{in_flight:,} calls in flight at {latency:g} s: at least {_CROWD_SHARE:.0%} of {allowed:,.0f}/s, "
        f"or of what {_SQLITE_SHARE:.2f} x the CPU of the bare loop allows",
        f"{median(shares):.0%}, at {median(rates):,.0f}/s; "
        f"{Rival.BARE.called} {median(each.per_second for each in bare):,.0f}/s",
        median(shares) >= _CROWD_SHARE,
    )
    yield Verdict(
        f"{in_flight:,} calls in flight at {latency:g} s: at most {_CROWD_MIB} MiB",
        f"{median(peaks):.0f} MiB",
        median(peaks) <= _CROWD_MIB,
    )


def _rate(findings: Findings) -> Iterator[Verdict]:
    trials = findings.rate
    if not trials:
        return
    goodput, refused = min(trial.goodput for trial in trials), max(trial.refused for trial in trials)
    yield Verdict(
        f"under a rate limit, after 10 s: at least {GOOD_SHARE:.0%} of it comes through",
        f"{goodput:.1%} in the worst of {len(trials)} trials",
        goodput >= GOOD_SHARE,
    )
    yield Verdict(
        f"under a rate limit, after 10 s: at most {REFUSED_SHARE:.0%} of all calls are refused",
        f"{refused:.1%} in the worst of {len(trials)} trials",
        refused <= REFUSED_SHARE,
    )
    settled = [after for trial in trials for after in (trial.after_half, trial.after_double)]
    slowest = max((after for after in settled if after is not None), default=None)
    never = settled.count(None)
    yield Verdict(
        f"after the limit halves or doubles: back there within {SETTLED_WITHIN:.0f} s",
        f"{never} of {len(settled)} never were" if never else f"{slowest:.1f} s in the worst of {len(settled)}",
        never == 0 and slowest is not None and slowest <= SETTLED_WITHIN,
    )
    if several := [trial.unevenness for trial in trials if trial.workers > 1]:
        yield Verdict(
            f"several workers under one limit: each within ±{_APART:.0%} of the mean",
            f"{max(several):.0%} in the worst of {len(several)} trials",
            max(several) <= _APART,
        )


def _start(findings: Findings) -> Iterator[Verdict]:
    starts = findings.starts
    if starts is None:
        return
    yield Verdict(
        f"consuming at most {_START:.1f} s after the start",
        f"{median(starts.consuming):.2f} s (median of {len(starts.consuming)})",
        median(starts.consuming) <= _START,
    )
    yield Verdict(
        f"import of the package: at most {_IMPORT:.1f} s",
        f"{median(starts.importing):.2f} s (median of {len(starts.importing)})",
        median(starts.importing) <= _IMPORT,
    )


def _sound(findings: Findings) -> Iterator[Verdict]:
    """The figures mean something: nothing was lost or done twice, and the endpoint was not what was measured."""
    ours = [each for each in chain(findings.throughput, *findings.growth.values()) if each.rival.ours]
    if ours:
        wrong = sum(each.lost + each.odd + each.doubled + each.repeated for each in ours)
        yield Verdict(
            "no request of the bench lost, failed, answered twice or called twice",
            f"{wrong} in {len(ours)} runs",
            wrong == 0,
        )
    alone = findings.machine.endpoint_per_second
    yield Verdict(
        f"the endpoint is no bottleneck: alone it answers at least {_NO_BOTTLENECK:,} calls a second",
        f"{alone:,.0f}",
        alone >= _NO_BOTTLENECK,
    )
