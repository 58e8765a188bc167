"""Dataclasses whose values never change, made for every request."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value_class(kind: type[T]) -> type[T]:
    """Make a dataclass of values that never change: mypy refuses every assignment to a field.

    Not `frozen=True`: that refuses at run time too, and takes four times as long for each value that is made.
    """
    return dataclass(slots=True, unsafe_hash=True)(kind)
