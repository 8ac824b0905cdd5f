"""The bodies of the steps, one method for each: what the workflow's port promises, over the real outside."""

from dataclasses import dataclass
from datetime import datetime

from lambdas.application.remediation.steps import apply_action, assessment, canary, history, notification, rolling_replacement
from lambdas.application.remediation.steps.step_context import LONGEST_WORDS, StepContext
from lambdas.application.workflow_steps import Json
from lambdas.domain.assessment.summary import AssessmentSummary, summary_from_json, summary_to_json
from lambdas.domain.errors import RemediatorError, TransientError
from lambdas.domain.incidents.incident import Outcome
from lambdas.domain.planning.actions import Action, from_json
from lambdas.domain.verification import VerificationState, progress, verify
from lambdas.notifications.kind import NotificationKind

HEALTHY_VERDICTS = (Outcome.VERIFIED, Outcome.RECOVERED)


@dataclass(kw_only=True)
class RemediationSteps(StepContext):
    """Implements `Work`."""

    # --- looking -----------------------------------------------------------------------------------------------------------------

    def look(self, iteration: int, former: Json) -> Json:
        """Observe, diagnose and plan, with the number of signals that came before."""
        try:
            signals = assessment.signals(self)
            if signals is None:
                self.log("snapshot", assessment.TAKEN, incident=self.incident.id)
                return {"taken": assessment.TAKEN, "at": self.at()}
            snapshot = self.look_at(iteration)
        except TransientError as error:
            self.log("snapshot", str(error), incident=self.incident.id, error=error)
            return {**former, "unread": str(error)[:LONGEST_WORDS], "at": self.at()}
        again = former.get("look", {}).get("verdict") == snapshot.verdict == "no-access"
        looks = former.get("looks", 0) + 1 if again else 1
        return {"look": summary_to_json(snapshot), "signals": signals, "looks": looks, "at": self.at()}

    def look_at(self, iteration: int) -> AssessmentSummary:
        """One look, which raises where the outside does not answer."""
        return assessment.look_at(self, iteration)

    # --- acting ------------------------------------------------------------------------------------------------------------------

    def begin(self, former: Json) -> Json:
        """Make sure that the incident is ours, and keep it so until `rest`: nobody takes it over while we act."""
        return self._mark_repairing(former, repairing=True)

    def rest(self, former: Json) -> Json:
        """Nothing more of ours is under way."""
        return self._mark_repairing(former, repairing=False)

    def _mark_repairing(self, former: Json, *, repairing: bool) -> Json:
        try:
            return {"ours": self.patiently(lambda: self.incidents.mark_repairing(self.incident, repairing)), "at": self.at()}
        except RemediatorError as error:
            return {**former, **self.failed("actions", error)}

    def act(self, action: Json) -> Json:
        """Run one action. Running it again has no further effect."""
        return apply_action.outcome(self, from_json(action), self.run)

    def run(self, action: Action) -> str:
        """Do it; what was done, in words."""
        return apply_action.run(self, action)

    def canary(self, action: Json, former: Json) -> Json:
        """Has the replaced pod's successor the role?"""
        return canary.canary(self, action, former, self.run)

    def wave(self, action: Json, former: Json) -> Json:
        """Replace the next stale pods once those before are back."""
        return rolling_replacement.wave(self, action, former, self.run)

    def verify(self, before: Json, former: Json) -> Json:
        """Look, and judge against the look that the plan was made from."""
        try:
            now = self.look_at(1)
        except TransientError as error:
            return {**former, "proof": VerificationState.WAITING, "sentence": str(error)[:LONGEST_WORDS], "at": self.at()}
        counts, at = list(progress(now.counts)), self.now()
        moved_at = former["moved_at"] if counts == former.get("progress") else at.isoformat()
        proof = verify(summary_from_json(before), now, idle=at - datetime.fromisoformat(moved_at))
        self.log("verification", proof.sentence, incident=self.incident.id, state=proof.state)
        told = {"proof": proof.state, "sentence": proof.sentence, "look": summary_to_json(now), "moved_at": moved_at, "progress": counts}
        return {**told, "trail": assessment.trail(former, self.at(), now.counts), "at": self.at()}

    # --- telling -----------------------------------------------------------------------------------------------------------------

    def tell(self, key: str, about: Json) -> Json:
        """Tell people and the event bus, once per key. Nobody is told what is below the settings' severity."""
        if notification.below_severity(about):
            return {"sent": False, "at": self.at()}
        return notification.send(self, key, about, NotificationKind(about["occasion"]))

    def ask(self, about: Json, callback_id: str) -> Json:
        """Send the question with the callback that answers it."""
        try:
            self.patiently(lambda: self.incidents.mark_approval_requested(self.incident, callback_id))
        except RemediatorError as error:
            self.log("report", f"the callback could not be noted: {error}", incident=self.incident.id, error=error)
        return notification.send(
            self,
            f"ask {callback_id[-24:]}",
            {**about, "occasion": NotificationKind.APPROVAL_REQUESTED},
            NotificationKind.APPROVAL_REQUESTED,
            callback_id,
        )

    def answered(self) -> Json:
        """Take the question off the row: chat's answer does not, and whoever comes later is to be told that it has been answered."""
        try:
            self.patiently(lambda: self.incidents.mark_approval_requested(self.incident, None))
        except RemediatorError as error:
            self.log("report", f"the answered callback stays noted: {error}", incident=self.incident.id, error=error)
        return {"at": self.at()}

    # --- closing -----------------------------------------------------------------------------------------------------------------

    def close(self, outcome: Outcome, about: Json, former: Json) -> Json:
        """Write history and close, unless a signal came that no look has seen: then look first."""
        so_far: Json = {**about, **former}
        past = history.past(self, outcome, about, so_far["signals"])
        healthy_since = datetime.fromisoformat(so_far["look"]["began_at"]) if outcome in HEALTHY_VERDICTS else None
        try:
            closed = self.patiently(lambda: self.incidents.close(past, so_far["signals"], healthy_since))
        except TransientError as error:
            return {**former, "words": str(error)[:LONGEST_WORDS], "at": self.at()}
        except RemediatorError as error:  # taken over: the other one closes it
            return {"closed": True, "words": str(error)[:LONGEST_WORDS], "at": self.at()}
        if closed:
            history.measure(self, past)
            return {"closed": True, "at": self.at()}
        return self._look_before_closing(outcome, former)

    def _look_before_closing(self, outcome: Outcome, former: Json) -> Json:
        """A signal came since the last look: see what it told of. Not closed, or, where nothing changed, to be closed with this look."""
        again = self.look(1, {})
        if "look" not in again or outcome not in HEALTHY_VERDICTS or summary_from_json(again["look"]).is_healthy:
            return {**former, **{key: again[key] for key in ("look", "signals", "at") if key in again}}
        return {"closed": False, "look": again["look"], "signals": again["signals"], "at": self.at()}
