"""Decides what meets a POST, in the order of the real endpoint: key, outage, rate, form, fields, script, room."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import ceil

from service.core.catalogue import Catalogue
from service.simulator.directives import DirectiveError, parse_prompt
from service.simulator.options import SimulatorOptions
from service.simulator.rate_limit import TokenBucket
from service.simulator.reaction import ACCEPT, Reaction
from service.simulator.refusal import unauthorized, wrong_field, wrong_form
from service.simulator.script import Script, ScriptPlaces
from service.simulator.switches import Switches


@dataclass(frozen=True)
class Arrival:
    """A POST as it came in. `raw` None: the body was over the size limit."""

    authorization: str | None
    content_type: str
    idempotency_key: str | None
    traceparent: str | None
    raw: bytes | None

    @cached_property
    def body(self) -> object:
        """The parsed body; None where it is no JSON."""
        try:
            return json.loads(self.raw or b"")
        except (ValueError, RecursionError):
            return None

    @property
    def prompt(self) -> str:
        """The prompt; empty where there is none."""
        return self._text("prompt")

    @property
    def model(self) -> str:
        """The name of the model; empty where there is none."""
        return self._text("model")

    def _text(self, name: str) -> str:
        value = self.body.get(name) if isinstance(self.body, dict) else None
        return value if isinstance(value, str) else ""

    @property
    def identity(self) -> str:
        """What makes two POSTs the same request: the idempotency key, else the body."""
        return self.idempotency_key or hashlib.sha256(self.raw or b"").hexdigest()


class Reception:
    """Meets each POST with a reaction. `uniform` draws from [0, 1).

    Raises:
        ValueError: the rate limit makes no sense.
    """

    def __init__(
        self, options: SimulatorOptions, switches: Switches, catalogue: Catalogue, uniform: Callable[[], float]
    ) -> None:
        self._options = options
        self._switches = switches
        self._catalogue = catalogue
        self._uniform = uniform
        self._bucket = None if options.rate_limit is None else TokenBucket(options.rate_limit, options.burst)
        self._places = ScriptPlaces()

    def react(self, arrival: Arrival, *, running: int, now: float) -> Reaction:
        """Choose the reaction. `running` counts unfinished tasks, `now` is monotonic seconds."""
        try:
            return (
                unauthorized(arrival.authorization, self._switches.api_key)
                or self._switches.outage
                or self._too_fast(now)
                or wrong_form(arrival.content_type, arrival.raw, arrival.body)
                or self._meet_request(arrival, running)
            )
        except DirectiveError as error:
            return Reaction(400, "SimulatorDirective", f"simulator directive not understood: {error}")

    def _meet_request(self, arrival: Arrival, running: int) -> Reaction:
        assert isinstance(arrival.body, dict)
        script = parse_prompt(arrival.prompt)
        refusal = wrong_field(arrival.body, self._catalogue, self._options.size_separator)
        if refusal is not None:
            return refusal
        reaction = self._scripted_or_random(arrival, script)
        most = self._options.max_running
        if reaction.accepts and most is not None and running >= most:
            return Reaction(429, "Throttling", f"too many running tasks: {running} of {most}")
        return reaction

    def _scripted_or_random(self, arrival: Arrival, script: Script | None) -> Reaction:
        if script is not None:
            return self._places.advance(arrival.identity, script)
        return self._switches.mishaps.draw(self._uniform()) or ACCEPT

    def _too_fast(self, now: float) -> Reaction | None:
        wait = None if self._bucket is None else self._bucket.take(now)
        if wait is None:
            return None
        return Reaction(429, "limit_requests", "too many requests", retry_after=str(ceil(wait)))

    def forget(self) -> None:
        """Let every script begin anew."""
        self._places.forget()
