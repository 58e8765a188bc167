"""`videogen-worker schema`: the contract in a form that tools read."""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.exits import broker_settings_or_exit, known_errors_exit

if TYPE_CHECKING:
    from service.core.topology import Topology
    from service.schema import Schema


class _Document(StrEnum):
    ASYNCAPI = "asyncapi"
    REQUEST = "request"
    RESULT = "result"
    COMPLETION = "completion"
    ERROR = "error"


class _Form(StrEnum):
    YAML = "yaml"
    JSON = "json"


_What = Annotated[
    _Document,
    typer.Argument(help="The AsyncAPI document, or the JSON Schema of a request, a result, its error or a completion."),
]
_FormOption = Annotated[
    _Form | None,
    typer.Option("--format", help="How it is written. [default: yaml for asyncapi, json for a schema]"),
]
_ModelsFile = Annotated[
    Path | None, typer.Option(envvar="VIDEOGEN_MODELS_FILE", help="Model catalogue to use.", dir_okay=False)
]
_Prefix = Annotated[str | None, typer.Option(help="Prefix of the queue names. [default: VIDEOGEN_BROKER__PREFIX]")]


def schema(
    what: _What = _Document.ASYNCAPI,
    *,
    form: _FormOption = None,
    models_file: _ModelsFile = None,
    prefix: _Prefix = None,
) -> None:
    """
    Print the contract of the messages: AsyncAPI 3.0, or JSON Schema 2020-12.

    It speaks of the models of VIDEOGEN_MODELS_FILE and of the queues of VIDEOGEN_BROKER__PREFIX. No other setting is
    needed, and nothing is connected to. Exit status: 0 it was printed, 2 wrong settings or usage.
    """
    from service.schema.text import Form, written

    document = _document(what, models_file, prefix)
    usual = _Form.YAML if what is _Document.ASYNCAPI else _Form.JSON
    typer.echo(written(document, Form(form or usual)), nl=False)


def _document(what: _Document, models_file: Path | None, prefix: str | None) -> "Schema":
    from service.adapters.catalogue_file import load_catalogue
    from service.adapters.version import installed_version
    from service.schema import asyncapi_document, completion_schema, error_schema, request_schema, result_schema

    match what:
        case _Document.RESULT:
            return result_schema()
        case _Document.COMPLETION:
            return completion_schema()
        case _Document.ERROR:
            return error_schema()
        case _:
            with known_errors_exit():
                catalogue = load_catalogue(models_file)
    if what is _Document.REQUEST:
        return request_schema(catalogue)
    return asyncapi_document(_topology(prefix), catalogue, installed_version())


def _topology(prefix: str | None) -> "Topology":
    from service.core.topology import Topology

    broker = broker_settings_or_exit({"VIDEOGEN_BROKER__PREFIX": prefix})
    return Topology(broker.prefix, dead_ttl=timedelta(seconds=broker.dead_ttl))
