from enum import StrEnum

from pydantic import BaseModel, Field

from service.schema.model_schema import as_components, schema_of


class Colour(StrEnum):
    RED = "red"


class Wheel(BaseModel):
    inches: int = 28


class Bicycle(BaseModel):
    front: Wheel
    colour: Colour = Field(description="Of the frame.")
    bell: bool | None = None


BICYCLE = schema_of(Bicycle, "validation")


def test_nothing_stands_beside_a_reference() -> None:
    assert BICYCLE["properties"]["front"] == {"$ref": "#/$defs/Wheel"}
    assert BICYCLE["properties"]["colour"] == {
        "description": "Of the frame.",
        "enum": ["red"],
        "title": "Colour",
        "type": "string",
    }


def test_what_nothing_refers_to_is_left_out() -> None:
    assert set(BICYCLE["$defs"]) == {"Wheel"}


def test_titles_that_say_the_name_again_and_defaults_are_left_out() -> None:
    assert BICYCLE["properties"]["bell"] == {"anyOf": [{"type": "boolean"}, {"type": "null"}]}
    assert BICYCLE["$defs"]["Wheel"]["properties"]["inches"] == {"type": "integer"}


def test_components_refer_to_each_other() -> None:
    components = as_components("Bike", BICYCLE)

    assert set(components) == {"Bike", "Wheel"}
    assert components["Bike"]["properties"]["front"] == {"$ref": "#/components/schemas/Wheel"}
    assert "$defs" not in components["Bike"]
    assert "$schema" not in components["Bike"]
