"""Refusals as the Kubernetes API words them: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/."""

from tests.deploy.kubernetes.cluster.kinds import Kind
from tests.deploy.kubernetes.rendering import Manifest


class Refused(Exception):  # noqa: N818 - an answer, not a defect
    """The API says no."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason

    def status(self) -> Manifest:
        """Give the object that the client gets."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
            "code": self.code,
        }


class Unplayed(Refused):
    """Kubernetes would know what to do; the stand-in does not."""

    def __init__(self, what: str) -> None:
        super().__init__(501, "NotImplemented", f"the stand-in for a cluster does not play this: {what}")


def not_found(kind: Kind, name: str) -> Refused:
    return Refused(404, "NotFound", f'{_named(kind)} "{name}" not found')


def already_exists(kind: Kind, name: str) -> Refused:
    return Refused(409, "AlreadyExists", f'{_named(kind)} "{name}" already exists')


def invalid(kind: Kind, name: str, why: str) -> Refused:
    return Refused(422, "Invalid", f'{kind.name} "{name}" is invalid: {why}')


def bad_request(why: str) -> Refused:
    return Refused(400, "BadRequest", why)


def _named(kind: Kind) -> str:
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural
