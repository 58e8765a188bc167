"""A message becomes a checked request, or everything that is wrong with it (spec sections 1 and 2)."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from pydantic import ValidationError

from service.core.catalogue import Catalogue
from service.core.contract import FieldProblem, VideoRequest
from service.core.deadline import deadline_of
from service.core.delivery import Delivery
from service.core.explanation import explained, named
from service.core.outcome import Invalid, Malformed
from service.core.request_body import BodyContext, RequestBody
from service.core.value_class import value_class
from service.core.well_formed import IllFormedError, body_text, refuse_ill_formed, refuse_irregular

# Thousands of unknown fields would hold up the event loop and make a reply larger than the request.
_LISTED_PROBLEMS = 50


@value_class
class Readable:
    """A request that may be called until `deadline` (UTC)."""

    request: VideoRequest
    warnings: tuple[str, ...]
    deadline: datetime | None


@value_class
class Unreadable:
    """No request, or one with wrong fields. It must not be called."""

    outcome: Malformed | Invalid
    warnings: tuple[str, ...]


Reading = Readable | Unreadable


class RequestReader:
    """Reads messages against one catalogue; bodies over `max_bytes` are refused."""

    def __init__(self, catalogue: Catalogue, max_bytes: int) -> None:
        self._catalogue = catalogue
        self._max_bytes = max_bytes

    def read(self, delivery: Delivery) -> Reading:
        """Check a message. Whatever a producer sends becomes a `Reading`; nothing is raised."""
        try:
            return self._check(body_text(delivery, self._max_bytes), deadline_of(delivery))
        except IllFormedError as error:
            return Unreadable(Malformed(str(error)), warnings=())

    def _check(self, text: str, deadline: datetime | FieldProblem | None) -> Reading:
        context = BodyContext(self._catalogue)
        try:
            body = RequestBody.model_validate_json(text, context=context)
        except ValidationError as failure:
            refuse_ill_formed(failure)
            refuse_irregular(text)
            problems = tuple(_problems(failure))
            if isinstance(deadline, FieldProblem):
                problems = (*problems, deadline)
            return Unreadable(Invalid(problems), tuple(context.warnings))
        refuse_irregular(text)
        if isinstance(deadline, FieldProblem):
            return Unreadable(Invalid((deadline,)), tuple(context.warnings))
        return Readable(body.request(), tuple(context.warnings), deadline)


def _problems(failure: ValidationError) -> Iterator[FieldProblem]:
    # Pydantic reports wrong fields in the order of the model, then unknown ones in the order of the document.
    for place, message in islice(explained(failure, RequestBody.model_fields), _LISTED_PROBLEMS):
        yield FieldProblem(field=named(place[0]), message=message)
    more = failure.error_count() - _LISTED_PROBLEMS
    if more > 0:
        yield FieldProblem(field="body", message=f"has {more} more unknown fields: remove them")
