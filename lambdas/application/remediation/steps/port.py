"""What the workflow asks of the bodies of its steps."""

from typing import Protocol

from lambdas.application.workflow_steps import Json
from lambdas.domain.incidents.incident import Outcome


class Work(Protocol):
    """The bodies of the steps. None of them raises for what may succeed later; each may be run twice with the effect of once."""

    def look(self, iteration: int, former: Json) -> Json:
        """`{"look": ..., "signals": n, "at": iso}`, `{"unread": why}` beside the former state where nothing could be read, or
        `{"taken": why}` where another holds the incident now.
        """
        ...

    def begin(self, former: Json) -> Json:
        """`{"ours": bool}`: whether we may change something now; nobody takes the incident over until `rest`."""
        ...

    def rest(self, former: Json) -> Json:
        """`{"ours": bool}`: nothing of ours is under way any more."""
        ...

    def act(self, action: Json) -> Json:
        """`{"done": bool, "conflict": bool, "busy": bool, "words": ..., "at": iso}`."""
        ...

    def canary(self, action: Json, former: Json) -> Json:
        """`{"state": "carried" | "waiting" | "missed" | "unready" | "lost", ...}`: `lost` with its node, so another one is to be tried."""
        ...

    def wave(self, action: Json, former: Json) -> Json:
        """`{"state": "done" | "waiting" | "stuck", ...}`: deletes the next wave when the one before has come back."""
        ...

    def verify(self, before: Json, former: Json) -> Json:
        """`{"proof": ProofState, "sentence": ..., "look": ...}`."""
        ...

    def tell(self, occasion: str, about: Json) -> Json:
        """Send the message of this occasion once."""
        ...

    def ask(self, about: Json, callback_id: str) -> Json:
        """Send the question, and remember the callback for those who answer."""
        ...

    def answered(self) -> Json:
        """Nobody needs to answer any more."""
        ...

    def close(self, outcome: Outcome, about: Json, former: Json) -> Json:
        """`{"closed": bool, "look": ...}`: looks again first where a signal came since the last look."""
        ...
