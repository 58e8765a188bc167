from dataclasses import field, replace

import pytest

from service.core.value_class import value_class


@value_class
class Place:
    row: int
    names: tuple[str, ...] = ()
    marks: dict[str, int] = field(default_factory=dict, compare=False)


def test_values_with_the_same_fields_are_the_same() -> None:
    assert Place(1, ("a",)) == Place(1, ("a",)) != Place(2, ("a",))
    assert len({Place(1), Place(1), Place(2)}) == 2


def test_a_changed_copy_leaves_the_value_as_it_was() -> None:
    first = Place(1, ("a",))
    assert replace(first, row=2) == Place(2, ("a",))
    assert first == Place(1, ("a",))


def test_a_value_takes_no_further_field() -> None:
    with pytest.raises(AttributeError):
        Place(1).column = 2  # type: ignore[attr-defined] # what is tried here


def test_assigning_to_a_field_is_an_error_of_types_alone() -> None:
    place = Place(1)
    # mypy complains of a needless `ignore`: this line holds only as long as it refuses the assignment.
    place.row = 2  # type: ignore[misc] # what is tried here
    assert place == Place(2)
