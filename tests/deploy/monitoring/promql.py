"""What a PromQL expression asks for: its selectors, and the labels that it groups and joins by."""

from collections.abc import Iterator
from dataclasses import dataclass

import promql_parser
from promql_parser import AggregateExpr, BinaryExpr, Expr, MatchOp, VectorSelector

# Pairs, because the library's constants have no hash.
_OPERATORS = ((MatchOp.Equal, "="), (MatchOp.NotEqual, "!="), (MatchOp.Re, "=~"), (MatchOp.NotRe, "!~"))


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label; `values` are the alternatives of a regular expression, or the one value."""

    label: str
    operator: str
    value: str

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(self.value.split("|")) if "~" in self.operator else (self.value,)

    @property
    def text(self) -> str:
        return f'{self.label}{self.operator}"{self.value}"'


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric and the conditions on its labels, without range and offset."""

    metric: str
    matchers: tuple[Matcher, ...]

    @property
    def text(self) -> str:
        return f"{self.metric}{{{', '.join(matcher.text for matcher in self.matchers)}}}"


def selectors(expression: str) -> set[Selector]:
    """List every selector of an expression."""
    return {
        Selector(
            each.name or "",
            tuple(Matcher(one.name, _operator(one), one.value) for one in each.matchers.matchers),
        )
        for each in _nodes(expression)
        if isinstance(each, VectorSelector)
    }


def grouping_labels(expression: str) -> set[str]:
    """List the labels of every `by`, `without`, `on`, `ignoring` and `group_left`."""
    labels: set[str] = set()
    for node in _nodes(expression):
        if isinstance(node, AggregateExpr) and node.modifier is not None:
            labels.update(node.modifier.labels)
        if isinstance(node, BinaryExpr) and node.modifier is not None:
            labels.update(node.modifier.matching.labels if node.modifier.matching is not None else ())
            labels.update(node.modifier.group_labels or ())
    return labels


def _operator(matcher: promql_parser.Matcher) -> str:
    return next(text for operator, text in _OPERATORS if operator == matcher.op)


def _nodes(expression: str) -> Iterator[Expr]:
    found: list[Expr] = []
    promql_parser.walk(promql_parser.parse(expression), found.append)
    return iter(found)
