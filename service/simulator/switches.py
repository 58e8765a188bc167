"""What can be changed while the simulator runs: the key, an outage that meets every call, and random faults."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.simulator.mishaps import Mishaps, single_reaction
from service.simulator.options import check_api_key
from service.simulator.reaction import Reaction

OUTAGES: Mapping[str, str] = {
    "quota": '403 code=insufficient_user_quota message="user quota is not enough"',
    "arrears": '400 code=Arrearage shape=vendor message="Access denied, account is not in good standing"',
    "down": "503",
}
"""Names for the outages that are simulated most, with what every call meets."""


@dataclass(slots=True)
class Switches:
    """Stand as they were set up until somebody changes them; a reset of the record leaves them alone.

    `api_key` None takes any key.
    """

    api_key: str | None = None
    mishaps: Mishaps = field(default_factory=lambda: Mishaps({}))
    outage: Reaction | None = None
    query_outage: Reaction | None = None

    def accept_key(self, key: str | None) -> None:
        """Take this key alone from now on, or with None any key.

        Raises:
            ValueError: nobody could send this key.
        """
        check_api_key(key)
        self.api_key = key

    def begin_outage(self, what: str) -> None:
        """Meet every call with a name from `OUTAGES`, or a step of the directive language. Scripts wait meanwhile.

        Raises:
            ValueError: it is neither, or it would accept calls.
        """
        reaction = single_reaction(OUTAGES.get(what, what), f"outage {what!r}")
        if reaction.accepts:
            raise ValueError(f"outage {what!r}: it accepts calls; give it a share of error rates instead")
        self.outage = reaction

    def end_outage(self) -> None:
        """Let calls through again."""
        self.outage = None

    def begin_query_outage(self, what: str) -> None:
        """Meet every query for a task likewise; POSTs go on as before.

        Raises:
            ValueError: it is no outage, or it would accept calls.
        """
        reaction = single_reaction(OUTAGES.get(what, what), f"query outage {what!r}")
        if reaction.accepts:
            raise ValueError(f"query outage {what!r}: it must be a refusal or a cut, such as 429 or reset-before")
        self.query_outage = reaction

    def end_query_outage(self) -> None:
        """Answer queries again."""
        self.query_outage = None

    def set_error_rates(self, rates: Mapping[str, float]) -> None:
        """Replace the random faults; an empty mapping ends them.

        Raises:
            ValueError: see `Mishaps`.
        """
        self.mishaps = Mishaps(rates)
