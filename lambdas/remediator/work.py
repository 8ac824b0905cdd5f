"""The bodies of the workflow's steps: each looks or acts once, and says in plain JSON what came of it. None raises for what may pass."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, assert_never

from lambdas.contract import metrics
from lambdas.contract.environment import Environment
from lambdas.contract.events import OwnEvent
from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.domain import outgoing
from lambdas.domain.action import (
    DONE,
    Action,
    AnnotateServiceAccount,
    DeleteStalePods,
    ReplaceOnePod,
    RestartWorkload,
    RestoreAnnotation,
    UpdateAddonRole,
    from_json,
)
from lambdas.domain.checking import Remembering, check
from lambdas.domain.counting import many
from lambdas.domain.errors import AccessDenied, Busy, Conflict, Denial, NotFound, RemediatorError, TransientError
from lambdas.domain.history import kept
from lambdas.domain.incident import Incident, Outcome, PastIncident
from lambdas.domain.links.annotation import oldest_first
from lambdas.domain.look import Counts, Look, from_json_look, look, to_json_look
from lambdas.domain.observation import ClusterFacts, PodFacts, ServiceAccountFacts
from lambdas.domain.observing import Hints, Readers
from lambdas.domain.occasion import Occasion
from lambdas.domain.ports import ClusterPort, EventsPort, IncidentsPort, LogPort, MetricsPort, NotifierPort
from lambdas.domain.proof import ProofState, progress, prove
from lambdas.domain.report import message
from lambdas.domain.request import Actor, Trigger
from lambdas.remediator.steps import Json

TRIES: Final = 4
"""Attempts within one step at what may succeed in a moment; beyond that the step says so, and the workflow waits."""
LONGEST_PAUSE_S: Final = 5.0
QUICK_LOOKS: Final = 8
"""Short looks within one step for what usually takes a second: a durable wait is at least that long."""
QUICK_PAUSE_S: Final = 0.25
MOST_MISSES: Final = 3
READY_LOOKS: Final = 12
"""Looks (up to ten seconds apart) within which a canary's successor has to turn ready where its predecessor was."""
STUCK_LOOKS: Final = 60
MOST_TRAIL: Final = 60
"""Changes of the counts that one proof remembers: 3 KB of its checkpoint."""
TAKEN: Final = "the incident was taken over: whoever holds it now goes on"

EVENTS: Final[Mapping[str, OwnEvent]] = {
    Occasion.ACTING: OwnEvent.STARTED,
    Occasion.PROVEN: OwnEvent.PROVEN,
    Occasion.NEEDS_YOU: OwnEvent.NEEDS_YOU,
    Occasion.NOT_APPROVED: OwnEvent.NEEDS_YOU,
    Occasion.WITHHELD: OwnEvent.WITHHELD,
}


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _shut_out(error: RemediatorError) -> bool:
    """Whether a door that was open at the look before is closed: an API server or its login restarts. The next look tells if it lasts."""
    return isinstance(error, AccessDenied) and error.denial in (Denial.UNREACHABLE, Denial.UNAUTHENTICATED)


@dataclass(kw_only=True)
class Desk:
    """Everything the steps of one incident work with. `now` and `sleep` are the outside's clock, replaced in tests."""

    incident: Incident
    readers: Readers
    remembering: Remembering
    incidents: IncidentsPort
    notifier: NotifierPort
    events: EventsPort
    metrics: MetricsPort
    log: LogPort
    environment: Environment
    now: Callable[[], datetime] = _utc_now
    sleep: Callable[[float], None] = time.sleep
    _turn: int = field(default=1)

    # --- looking -----------------------------------------------------------------------------------------------------------------

    def look(self, turn: int, former: Json) -> Json:
        """Observe, diagnose and plan, with the number of signals that came before. `turn` numbers the plans of this incident."""
        try:
            signals = self._signals()
            if signals is None:
                self.log("observation", TAKEN, incident=self.incident.id)
                return {"taken": TAKEN, "at": self._at()}
            seen = self._look(turn)
        except TransientError as error:
            self.log("observation", str(error), incident=self.incident.id)
            return {**former, "unread": str(error)[:300], "at": self._at()}
        again = former.get("look", {}).get("verdict") == seen.verdict == "no-access"
        looks = former.get("looks", 0) + 1 if again else 1
        return {"look": to_json_look(seen), "signals": signals, "looks": looks, "at": self._at()}

    def _signals(self) -> int | None:
        """How many signals came so far; None where the incident is no longer ours, as when a person took over what we only watched."""
        open_now = self.incidents.get(self.incident.target)
        return open_now.signals if open_now and open_now.id == self.incident.id else None

    def _look(self, turn: int) -> Look:
        hints = Hints(known_good_at=_known_good_at(self.incident), actor=actor_of(self.incident.request))
        made = check(self.incident.target, self.readers, self.remembering, self.now(), hints, incident_id=self.incident.id, turn=turn)
        seen = look(made.observation, made.diagnosis, made.plan)
        actions = [type(action).__name__ for action in seen.actions]
        self.log("diagnosis", seen.sentence, incident=self.incident.id, verdict=seen.verdict, broken=list(seen.verdicts))
        held = [it.reason for it in seen.withheld]
        self.log("plan", seen.wait or "planned", incident=self.incident.id, actions=actions, withheld=held)
        return seen

    # --- acting ------------------------------------------------------------------------------------------------------------------

    def begin(self, former: Json) -> Json:
        """Make sure that the incident is ours, and keep it so until `rest`: nobody takes it over while we act."""
        return self._acting(former, acting=True)

    def rest(self, former: Json) -> Json:
        """Nothing more of ours is under way."""
        return self._acting(former, acting=False)

    def _acting(self, former: Json, *, acting: bool) -> Json:
        try:
            return {"ours": self._patiently(lambda: self.incidents.mark_acting(self.incident, acting)), "at": self._at()}
        except RemediatorError as error:
            self.log("actions", str(error), incident=self.incident.id)
            return {**former, "words": str(error)[:300], "at": self._at()}

    def act(self, action: Json) -> Json:
        """Run one action. Running it again has no further effect."""
        return self._outcome(from_json(action), self._run)

    def restore(self, action: Json) -> Json:
        """Put back what stood there before our annotation."""
        annotate = from_json(action)
        if not isinstance(annotate, AnnotateServiceAccount):
            return self._done("nothing of ours to take back")
        return self._outcome(RestoreAnnotation(value=annotate.old_value, ours=annotate.role_arn), self._run)

    def _outcome(self, action: Action, run: Callable[[Action], str]) -> Json:
        name = type(action).__name__
        try:
            outcome = self._done(self._patiently(lambda: run(action)))
        except (Conflict, NotFound) as error:
            outcome = {"done": False, "conflict": True, "words": str(error)[:300], "at": self._at()}
        except (Busy, TransientError) as error:
            outcome = {"done": False, "busy": True, "words": str(error)[:300], "at": self._at()}
        except RemediatorError as error:
            outcome = {"done": False, "conflict": _shut_out(error), "words": str(error)[:300], "at": self._at()}
        self.log("actions", str(outcome["words"]), incident=self.incident.id, action=name, done=outcome["done"])
        return outcome

    def _run(self, action: Action) -> str:
        """Do it; what was done, in words."""
        namespace, name = self.incident.target.namespace, self.incident.target.name
        match action:
            case AnnotateServiceAccount():
                return self._annotate(action.role_arn, action.resource_version)
            case ReplaceOnePod():
                gone = self._cluster().delete_pod(namespace, action.pod, action.uid)
                return f"{action.pod} deleted" if gone else f"{action.pod} was gone already"
            case RestartWorkload():
                self._cluster().restart(namespace, action.workload, action.name, action.restarted_at)
                return f"{action.name} restarts, {action.at_a_time} at a time"
            case DeleteStalePods():
                return f"{many(action.count, 'stale pod')}, {action.at_a_time} at a time"
            case UpdateAddonRole():
                update = self.readers.eks.set_addon_role(self.incident.target.cluster, action.addon, action.role_arn, action.token)
                return f"update {update} of the add-on record {action.addon}"
            case RestoreAnnotation():
                return self._restore(namespace, name, action)
        assert_never(action)

    def _annotate(self, role_arn: str, resource_version: str) -> str:
        target, cluster = self.incident.target, self._cluster()
        try:
            cluster.annotate(target.namespace, target.name, role_arn, resource_version)
        except Conflict:
            found = cluster.service_account(target.namespace, target.name)
            if isinstance(found, ServiceAccountFacts) and found.role_annotations.get(ROLE_ANNOTATION) == role_arn:
                return "the annotation is there already"  # our own write whose answer was lost, or somebody's equal one
            raise
        return f"annotation set to {role_arn}"

    def _restore(self, namespace: str, name: str, action: RestoreAnnotation) -> str:
        cluster = self._cluster()
        found = cluster.service_account(namespace, name)
        if not isinstance(found, ServiceAccountFacts) or found.role_annotations.get(ROLE_ANNOTATION) != action.ours:
            return "the annotation is no longer ours: left alone"
        cluster.annotate(namespace, name, action.value, found.resource_version)
        return f"annotation put back to {action.value or 'none'}"

    # --- seeing an action through ------------------------------------------------------------------------------------------------

    def canary(self, action: Json, former: Json) -> Json:
        """Has the replaced pod's successor the role? A successor that the webhook missed is replaced again, a bounded number of times."""
        state = former
        for _ in range(QUICK_LOOKS):
            state = self._canary(action, state)
            if state["state"] != "waiting" or state.get("missed_uid"):
                break
            self.sleep(QUICK_PAUSE_S)
        return {**state, "looks": former.get("looks", 0) + 1}

    def _canary(self, action: Json, former: Json) -> Json:
        base = {"missed": former.get("missed", 0), "looks": former.get("looks", 0), "at": self._at()}
        try:
            pods = self._patiently(self._pods)
        except RemediatorError as error:
            return {**base, "state": "waiting", "words": str(error)[:300]}
        found = _successor(pods, action)
        if found is None:
            return {**base, "state": "waiting", "words": "no successor yet"}
        if found.role_arn == action["role_arn"]:
            return self._with_role(found, action, base)
        return self._missed(found, former, base)

    def _with_role(self, found: PodFacts, action: Json, base: Json) -> Json:
        if found.ready or action["before"] != "well":
            return {**base, "state": "carried", "words": f"{found.name} carries the role"}
        if base["looks"] >= READY_LOOKS:
            return {**base, "state": "unready", "words": f"{found.name} carries the role but does not turn ready as its predecessor was"}
        return {**base, "state": "waiting", "words": f"{found.name} carries the role and is starting"}

    def _missed(self, found: PodFacts, former: Json, base: Json) -> Json:
        if former.get("missed_uid") != found.uid:  # the webhook learns of an annotation with some delay: give it a pause
            return {**base, "state": "waiting", "missed_uid": found.uid, "words": f"{found.name} was admitted without the role"}
        if base["missed"] >= MOST_MISSES:
            words = f"the identity webhook missed {found.name} {MOST_MISSES + 1} times in a row; the other pods were left as they are"
            return {**base, "state": "missed", "words": words}
        outcome = self._outcome(_replace(found), self._run)
        return {**base, "missed": base["missed"] + 1, "state": "waiting", "words": str(outcome.get("words"))}

    def wave(self, action: Json, former: Json) -> Json:
        """Delete the next wave of stale pods once the one before has come back with the role and is ready."""
        try:
            pods = self._patiently(self._pods)
        except RemediatorError as error:
            return {**former, "state": "waiting", "words": str(error)[:300], "at": self._at()}
        right = sum(pod.role_arn == action["role_arn"] and pod.ready and not pod.deleting for pod in pods)
        goal, idle = former.get("goal", right), former.get("idle", 0)
        if right < goal:
            stuck = idle >= STUCK_LOOKS
            words = f"{many(goal - right, 'replaced pod has', 'replaced pods have')} not come back ready"
            return {"state": "stuck" if stuck else "waiting", "goal": goal, "idle": idle + 1, "words": words, "at": self._at()}
        stale = oldest_first(pod for pod in pods if pod.role_arn != action["role_arn"] and not pod.deleting)
        wave = stale[: action["at_a_time"]]
        for pod in wave:
            self._outcome(_replace(pod), self._run)
        words = f"{many(len(stale), 'stale pod')}, {len(wave)} being replaced" if wave else "every pod carries the role"
        return {"state": "waiting" if wave else "done", "goal": right + len(wave), "idle": 0, "words": words, "at": self._at()}

    def prove(self, before: Json, former: Json) -> Json:
        """Look, and judge against the look that the plan was made from."""
        try:
            now = self._look(1)
        except TransientError as error:
            return {**former, "proof": ProofState.WAITING, "sentence": str(error)[:300], "at": self._at()}
        counts, at = list(progress(now.counts)), self.now()
        moved_at = former["moved_at"] if counts == former.get("progress") else at.isoformat()
        proof = prove(from_json_look(before), now, idle=at - datetime.fromisoformat(moved_at))
        self.log("proof", proof.sentence, incident=self.incident.id, state=proof.state)
        seen, trail = to_json_look(now), _trail(former, self._at(), now.counts)
        told = {"proof": proof.state, "sentence": proof.sentence, "look": seen, "moved_at": moved_at, "progress": counts}
        return {**told, "trail": trail, "at": self._at()}

    # --- telling -----------------------------------------------------------------------------------------------------------------

    def tell(self, key: str, about: Json) -> Json:
        """Tell people and the event bus, once per key. Nobody is told what is below the settings' severity."""
        occasion, now = Occasion(about["occasion"]), from_json_look(about["look"])
        if now.severity.rank < now.notify_from.rank and from_json_look(about["first"]).severity.rank < now.notify_from.rank:
            return {"sent": False, "at": self._at()}
        return self._send(key, about, occasion, now, "")

    def ask(self, about: Json, callback_id: str) -> Json:
        """Send the question with the callback that answers it."""
        try:
            self._patiently(lambda: self.incidents.mark_asked(self.incident, callback_id))
        except RemediatorError as error:
            self.log("report", f"the callback could not be noted: {error}", incident=self.incident.id)
        asking = {**about, "occasion": Occasion.ASKING}
        return self._send(f"ask {callback_id[-24:]}", asking, Occasion.ASKING, from_json_look(about["look"]), callback_id)

    def answered(self) -> Json:
        """Take the question off the row: chat's answer does not, and whoever comes later is to be told that it has been answered."""
        try:
            self._patiently(lambda: self.incidents.mark_asked(self.incident, None))
        except RemediatorError as error:
            self.log("report", f"the answered callback stays noted: {error}", incident=self.incident.id)
        return {"at": self._at()}

    def _send(self, key: str, about: Json, occasion: Occasion, now: Look, callback_id: str) -> Json:
        try:
            told = self._patiently(lambda: self.incidents.told(self.incident))
            written = message(occasion, about, self.incident, environment=self.environment, callback_id=callback_id)
            if key not in told:
                self._patiently(lambda: self.notifier.send(written))
                self._patiently(lambda: self.incidents.mark_told(self.incident, key))
            if occasion in EVENTS and (announced := f"{key} announced") not in told:  # apart, so that a bus that is down repeats no message
                self._announce(occasion, about, now, written.text)
                self._patiently(lambda: self.incidents.mark_told(self.incident, announced))
        except RemediatorError as error:
            self.log("report", f"not sent: {error}", incident=self.incident.id, occasion=occasion)
            return {"sent": False, "failed": str(error)[:300], "at": self._at()}
        self.log("report", written.subject, incident=self.incident.id, occasion=occasion)
        return {"sent": True, "at": self._at()}

    def _announce(self, occasion: Occasion, about: Json, now: Look, summary: str) -> None:
        if (kind := EVENTS.get(occasion)) is None:
            return
        event = outgoing.remediation(
            kind,
            self.incident.target,
            incident=self.incident.id,
            verdict=from_json_look(about["first"]).verdict,
            severity=now.severity,
            summary=summary.splitlines()[0],
            opened_at=self.incident.opened_at,
            at=self.now(),
            changes=[DONE.get(kind, kind) for kind in dict.fromkeys(about["changes"])],
            left_for_you=now.remedies,
            runbook=f"{self.environment.runbook_root}/{from_json_look(about['first']).verdict}.md",
        )
        self._patiently(lambda: self.events.put([event]))

    # --- closing -----------------------------------------------------------------------------------------------------------------

    def close(self, outcome: Outcome, about: Json, former: Json) -> Json:
        """Write history and close, unless a signal came that no look has seen: then look first."""
        sound = outcome in (Outcome.PROVEN, Outcome.RECOVERED)
        so_far: Json = {**about, **former}
        signals = so_far["signals"]
        latest = so_far["look"]
        past = self._past(outcome, about, signals)
        try:
            closed = self._patiently(
                lambda: self.incidents.close(past, signals, datetime.fromisoformat(latest["began_at"]) if sound else None)
            )
        except TransientError as error:
            return {**former, "words": str(error)[:300], "at": self._at()}
        except RemediatorError as error:  # taken over: the other one closes it
            return {"closed": True, "words": str(error)[:300], "at": self._at()}
        if closed:
            self._measure(past)
            return {"closed": True, "at": self._at()}
        again = self.look(1, {})
        if "look" not in again or not sound or from_json_look(again["look"]).sound:
            return {**former, **{key: again[key] for key in ("look", "signals", "at") if key in again}}
        return {"closed": False, "look": again["look"], "signals": again["signals"], "at": self._at()}

    def _past(self, outcome: Outcome, about: Json, signals: int) -> PastIncident:
        first = from_json_look(about["first"] or about["look"])
        return PastIncident(
            id=self.incident.id,
            target=self.incident.target,
            opened_at=self.incident.opened_at,
            closed_at=self.now(),
            outcome=outcome,
            verdict=first.verdict,
            trigger=str(self.incident.request.get("trigger", "person")),
            changes=tuple(about["changes"]),
            signals=signals,
            binding_path=first.binding_path or None,
            binding_version=first.binding_version or None,
            old_value=first.annotation or None,
            details={**kept(first), "lines": about["lines"][-200:], "trail": about.get("trail", [])[-200:], "changes": about["changes"]},
        )

    def _measure(self, past: PastIncident) -> None:
        self.metrics(metrics.REPAIRS, 1, outcome=past.outcome)
        self.metrics(metrics.VERDICTS, 1, cluster=past.target.cluster, verdict=past.verdict)
        if past.outcome is Outcome.PROVEN:
            self.metrics(metrics.TIME_TO_RECOVER, (past.closed_at - past.opened_at).total_seconds())

    # --- the outside -------------------------------------------------------------------------------------------------------------

    def _cluster(self) -> ClusterPort:
        facts = self.readers.eks.cluster(self.incident.target.cluster)
        if not isinstance(facts, ClusterFacts):
            raise NotFound(f"cluster {self.incident.target.cluster} is gone")
        return self.readers.clusters.login(facts)

    def _pods(self) -> tuple[PodFacts, ...]:
        return self._cluster().pods(self.incident.target.namespace, self.incident.target.name)

    def _patiently(self, call: Callable[[], Any]) -> Any:
        """Try again what may succeed in a moment: boundedly, later each time, at random so that many do not march in step."""
        for attempt in range(1, TRIES + 1):
            try:
                return call()
            except Busy:
                raise
            except TransientError as error:
                if attempt == TRIES:
                    raise
                self.sleep(_backoff_s(attempt, error.retry_after_s))
        return None

    def _done(self, words: str) -> Json:
        return {"done": True, "words": words, "at": self._at()}

    def _at(self) -> str:
        return self.now().isoformat()


def _backoff_s(attempt: int, asked_s: float | None) -> float:
    jitter = random.uniform(0.5, 1.0)  # noqa: S311  # spreads load, guards nothing
    grown = min(LONGEST_PAUSE_S, 0.2 * float(2**attempt)) * jitter
    return max(min(asked_s or 0.0, LONGEST_PAUSE_S), grown)


def _trail(former: Json, at: str, counts: Counts) -> list[list[Any]]:
    """How a roll-out went, for the chart of a post-mortem: `[time, pods with the role, pods, nodes Ready, nodes]` at each change."""
    now = [counts.pods_right, counts.pods, counts.nodes_ready, counts.nodes]
    trail: list[list[Any]] = former.get("trail", [])
    return trail if trail and trail[-1][1:] == now else [*trail, [at, *now]][-MOST_TRAIL:]


def _replace(pod: PodFacts) -> ReplaceOnePod:
    return ReplaceOnePod(pod=pod.name, uid=pod.uid, node=pod.node, newest="", role_arn=pod.role_arn or "")


def _successor(pods: tuple[PodFacts, ...], action: Json) -> PodFacts | None:
    """The newest pod that took the replaced one's place: on its node, or, where any node will do, one that the plan did not know."""
    if action["node"]:
        fit = [pod for pod in pods if pod.node == action["node"] and pod.uid != action["uid"] and not pod.deleting]
    else:
        newest = datetime.fromisoformat(action["newest"])
        known = {action["uid"], *action["as_new"]}
        fit = [pod for pod in pods if pod.created_at >= newest and pod.uid not in known and not pod.deleting]
    return max(fit, key=lambda pod: (pod.created_at, pod.name), default=None)


def actor_of(request: Mapping[str, Any]) -> Actor | None:
    """Who changed what, out of the request that opened the incident. A person who only asked for a check changed nothing."""
    told = request.get("actor")
    if not isinstance(told, Mapping) or not told.get("who") or request.get("trigger") == Trigger.PERSON:
        return None
    at = datetime.fromisoformat(told["at"]) if told.get("at") else None
    return Actor(who=str(told["who"]), what=str(told.get("what", "")), agent=str(told.get("agent", "")), at=at)


def _known_good_at(incident: Incident) -> datetime | None:
    told = incident.request.get("knownGoodAt")
    return datetime.fromisoformat(str(told)) if told else None
