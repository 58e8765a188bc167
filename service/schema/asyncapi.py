"""The AsyncAPI 3.0 document: servers, channels, operations and messages of the worker."""

from service.core.catalogue import Catalogue
from service.core.result import CONTENT_TYPE
from service.core.topology import Topology
from service.schema.channels import channels, operations
from service.schema.completion import completion_schema
from service.schema.messages import messages
from service.schema.model_schema import Schema, as_components
from service.schema.request import request_schema
from service.schema.result import result_schema

_ABOUT = (
    "Takes video-generation requests from RabbitMQ, makes one paid HTTP call for each, and publishes one result. "
    "Where VIDEOGEN_TRACKING__ENABLED is set, it also tells how each task ended. Requests, results and completions are "
    "AMQP 0-9-1 messages. Where this document says `headers`, `x-amqp` tells whether a value travels as a property of "
    "the message or in its header table."
)


def asyncapi_document(topology: Topology, catalogue: Catalogue, version: str) -> Schema:
    """Build the document for the names of `topology`, the models of `catalogue` and this release."""
    schemas = {
        **as_components("Request", request_schema(catalogue)),
        **as_components("Result", result_schema()),
        **as_components("Completion", completion_schema()),
    }
    return {
        "asyncapi": "3.0.0",
        "id": "urn:videogen-worker",
        "info": {
            "title": "videogen-worker",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {"amqp": _server("amqp", "5672"), "amqps": _server("amqps", "5671")},
        "channels": channels(topology),
        "operations": operations(),
        "components": {
            "messages": messages(catalogue),
            "schemas": schemas,
            "securitySchemes": {
                "userPassword": {"type": "userPassword", "description": "A user of the broker."},
                "clientCertificate": {"type": "X509", "description": "A client certificate, over amqps."},
            },
        },
    }


def _server(protocol: str, port: str) -> Schema:
    ways = ("userPassword", "clientCertificate") if protocol == "amqps" else ("userPassword",)
    return {
        "host": "{host}:{port}",
        "pathname": "/{virtualHost}",
        "protocol": protocol,
        "protocolVersion": "0.9.1",
        "title": "RabbitMQ over TLS" if protocol == "amqps" else "RabbitMQ",
        "description": "RabbitMQ 3.10 or newer.",
        "variables": {
            "host": {"default": "localhost", "description": "Name or address of the broker."},
            "port": {"default": port, "description": "Where it listens."},
            "virtualHost": {"default": "", "description": "Percent-encoded; empty for the default one."},
        },
        "security": [{"$ref": f"#/components/securitySchemes/{way}"} for way in ways],
    }
