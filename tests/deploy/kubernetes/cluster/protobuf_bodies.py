"""Objects that kubectl sends as Protocol Buffers, which it does for what it makes itself, such as `create secret`.

Source of numbers and names: the files `generated.proto` of k8s.io/api and k8s.io/apimachinery, of which this is a part.
A value in a field that is not here is refused, never lost.
"""

from collections.abc import Mapping
from functools import cache

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # type: ignore[import-untyped] # no types
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped] # no types
from google.protobuf.unknown_fields import UnknownFieldSet  # type: ignore[import-untyped] # no types

from tests.deploy.kubernetes.cluster.refusals import Unplayed
from tests.deploy.kubernetes.rendering import Manifest

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"

_MAGIC = b"k8s\x00"
_PACKAGE = "stand_in"
# Message, and its fields by number: a name, and a type. `map` has texts for keys; `[]` stands before what is repeated.
_MESSAGES: Mapping[str, Mapping[int, tuple[str, str]]] = {
    "Unknown": {1: ("typeMeta", "TypeMeta"), 2: ("raw", "bytes"), 3: ("encoding", "string"), 4: ("type", "string")},
    "TypeMeta": {1: ("apiVersion", "string"), 2: ("kind", "string")},
    "ObjectMeta": {
        1: ("name", "string"),
        3: ("namespace", "string"),
        8: ("creationTimestamp", "Empty"),
        11: ("labels", "map string"),
        12: ("annotations", "map string"),
    },
    "Empty": {},
    "Namespace": {1: ("metadata", "ObjectMeta"), 2: ("spec", "Empty"), 3: ("status", "NamespaceStatus")},
    "NamespaceStatus": {1: ("phase", "string")},
    "Secret": {1: ("metadata", "ObjectMeta"), 2: ("data", "map bytes"), 3: ("type", "string")},
    "Deployment": {1: ("metadata", "ObjectMeta"), 2: ("spec", "DeploymentSpec"), 3: ("status", "Empty")},
    "DeploymentSpec": {
        1: ("replicas", "int32"),
        2: ("selector", "LabelSelector"),
        3: ("template", "PodTemplateSpec"),
        4: ("strategy", "Strategy"),
    },
    "Strategy": {1: ("type", "string")},
    "LabelSelector": {1: ("matchLabels", "map string")},
    "PodTemplateSpec": {1: ("metadata", "ObjectMeta"), 2: ("spec", "PodSpec")},
    "PodSpec": {2: ("containers", "[]Container")},
    "Container": {1: ("name", "string"), 2: ("image", "string"), 8: ("resources", "Empty")},
}
_SENT = {"Namespace", "Secret", "Deployment"}


def decoded(body: bytes) -> Manifest:
    """Read an object.

    Raises:
        Unplayed: its kind, or a field of it that has a value, is not known here.
    """
    envelope = _parsed("Unknown", body.removeprefix(_MAGIC))
    version, kind = envelope.typeMeta.apiVersion, envelope.typeMeta.kind
    if kind not in _SENT:
        raise Unplayed(f"a {kind} as Protocol Buffers")
    found: Manifest = MessageToDict(_parsed(kind, envelope.raw), preserving_proto_field_name=True)
    found.pop("status", None)
    return {"apiVersion": version, "kind": kind, **_without_empty(found)}


def _parsed(name: str, body: bytes):  # type: ignore[no-untyped-def] # noqa: ANN202 - the library comes without types
    message = message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{_PACKAGE}.{name}"))()
    message.ParseFromString(body)
    _refuse_unknown(message)
    return message


def _refuse_unknown(message) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - the library comes without types
    for field in UnknownFieldSet(message):
        if field.data:
            raise Unplayed(f"field {field.field_number} of {message.DESCRIPTOR.name}, which is {field.data!r}")
    for field, value in message.ListFields():
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for each in value if field.is_repeated else [value]:
                _refuse_unknown(each)


def _without_empty(found: Manifest) -> Manifest:
    """Leave out what says nothing, as JSON does."""
    shorter = {name: _without_empty(value) if isinstance(value, dict) else value for name, value in found.items()}
    return {name: value for name, value in shorter.items() if value not in ("", {})}


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(name="stand_in.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in fields.items():
            _add_field(message, number, field, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _add_field(message: descriptor_pb2.DescriptorProto, number: int, name: str, kind: str) -> None:
    field = message.field.add(name=name, number=number, label=1)
    if kind.startswith("map "):
        entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
        entry.options.map_entry = True
        _add_field(entry, 1, "key", "string")
        _add_field(entry, 2, "value", kind.removeprefix("map "))
        field.label, kind = 3, f"{message.name}.{entry.name}"
    elif kind.startswith("[]"):
        field.label, kind = 3, kind.removeprefix("[]")
    if kind in {"string", "bytes", "int32"}:
        field.type = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
    else:
        field.type = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{kind}"
