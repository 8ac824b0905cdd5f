"""The parts of a message: escaping, times, names, owners, marks, the timeline, and the limits of length."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.incidents.details import TimelineEntry, TimelineEvent
from lambdas.domain.plurals import pluralize
from lambdas.notifications import escape
from lambdas.notifications.body import paragraphs
from lambdas.notifications.chat import fit
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import MessageContext
from lambdas.notifications.messages import message
from lambdas.notifications.owners import annotation_advice, recognize, record_advice, short_name
from lambdas.notifications.time_text import clock, duration, moment
from lambdas.notifications.timeline import timeline
from lambdas.notifications.title import Mark, mark
from lambdas.notifications.wording import CHAT, PLAIN, Code, phrase, sentence
from tests.unit.notifications.fault_cases import FAULT_CASES
from tests.unit.notifications.message_cases import ENVIRONMENT, message_cases, write

ROLE = "arn:aws:iam::111122223333:role/cni"
TARGET = ServiceAccountRef("prod", "kube-system", "aws-node")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("arn:aws:iam::111122223333:role/prod_blue-cni", "arn:aws:iam::111122223333:role/prod_blue-cni"),
        ("jane.doe@example.com", "jane.doe@example.com"),
        ("<!channel> now", "‹!channel› now"),
        ("<@U012AB> @here", "‹＠U012AB› ＠here"),
        ("_so_ *so* ~so~", "ˍsoˍ ∗so∗ ∼so∼"),
        ("[AWS](https://evil.example)", "[AWS] (https:⧸⧸evil․example)"),
        ("one\r\ntwo\tthree\u2028four", "one two three four"),
        ("a\u202eb\u200bc\x00d\ud800e", "abcde"),
        ("", ""),
    ],
)
def test_values_have_no_markup_in_chat(value: str, written: str) -> None:
    assert escape.chat(value) == written


def test_code_is_not_escaped() -> None:
    command = "aws iam create-open-id-connect-provider --url https://oidc.eks.eu-west-1.amazonaws.com/id/77D0 --tags a_b=*"
    assert phrase("{it}", it=Code(command)).render(CHAT) == f"`{command}`"
    assert phrase("{it}", it=Code(command)).render(PLAIN) == command


def test_a_value_is_never_read_as_a_template() -> None:
    assert phrase("{it}", it="{other} %s {0}").render(PLAIN) == "{other} %s {0}"


def test_a_subject_is_ascii_on_one_line_and_short() -> None:
    assert escape.ascii_line("🔴 café · now…\nnext", 99) == "cafe - now... next"
    assert len(escape.ascii_line("x" * 300, 99)) == 99


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (91, "1 min 31 s"),
        (1640, "27 min"),
        (3600, "1 h"),
        (11_100, "3 h 5 min"),
        (259_200, "3 days"),
    ],
)
def test_durations_have_at_most_two_units(seconds: int, text: str) -> None:
    assert duration(seconds) == text


def test_a_time_of_another_day_carries_its_date() -> None:
    at = datetime(2026, 11, 2, 2, 15, 52, tzinfo=UTC)
    assert clock(at, at) == "02:15:52 UTC"
    assert clock(at, datetime(2026, 11, 3, tzinfo=UTC)) == "2026-11-02 02:15 UTC"


@pytest.mark.parametrize("text", ["", "soon", None, 5, "2026-13-01"])
def test_text_that_is_no_time_gives_none(text: object) -> None:
    assert moment(text) is None


def test_one_and_many_have_different_nouns() -> None:
    assert (pluralize(1, "pod"), pluralize(2, "pod"), pluralize(0, "node is", "nodes are")) == ("1 pod", "2 pods", "0 nodes are")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("the role is gone", "The role is gone."),
        ("aws-node is slow", "aws-node is slow."),
        ("15 of 15", "15 of 15."),
        ("Done.", "Done."),
        ("", "."),
    ],
)
def test_sentences_have_a_capital_and_a_full_stop(text: str, written: str) -> None:
    assert sentence(text) == written


@pytest.mark.parametrize(
    ("who", "name"),
    [
        ("arn:aws:sts::111122223333:assumed-role/ci-deploy/build-9", "ci-deploy (session build-9)"),
        ("arn:aws-cn:iam::111122223333:user/team/jane", "user jane"),
        ("arn:aws:iam::111122223333:role/a/b/c", "role c"),
        ("arn:aws:iam::111122223333:root", "the account's root user"),
        ("system:serviceaccount:argocd:controller", "ServiceAccount argocd/controller"),
        ("jane", "jane"),
    ],
)
def test_principals_have_short_names(who: str, name: str) -> None:
    assert short_name(who) == name


@pytest.mark.parametrize(
    ("manager", "agent", "name"),
    [
        ("eks", "", "the EKS add-on"),
        ("helm", "", "Helm"),
        ("helm-controller", "", "Flux"),
        ("argocd-controller", "", "Argo CD"),
        ("kubectl-client-side-apply", "", "kubectl"),
        ("Terraform", "", "Terraform"),
        ("eksctl", "", "eksctl"),
        ("", "APN/1.0 HashiCorp/1.0 Terraform/1.9.5", "Terraform"),
        ("", "eksctl/0.190.0", "eksctl"),
        ("", "cloudformation.amazonaws.com", "CloudFormation or CDK"),
        ("", "aws-cli/2.17.0 md/awscrt", "the AWS CLI"),
        ("", "kubectl/v1.33.0 (linux/amd64)", "kubectl"),
        ("my-eks-tool", "curl/8", ""),
    ],
)
def test_tools_are_recognized_by_field_manager_and_user_agent(manager: str, agent: str, name: str) -> None:
    tool = recognize(manager=manager, markers=(agent,))
    assert (tool.name if tool else "") == name


def test_each_tool_has_its_own_declaration() -> None:
    terraform, eksctl, helm = (recognize(manager=item) for item in ("terraform", "eksctl", "helm"))
    assert f'service_account_role_arn = "{ROLE}"' in record_advice(terraform, TARGET, "vpc-cni", ROLE).render(PLAIN)
    assert f"serviceAccountRoleARN: {ROLE}" in record_advice(eksctl, TARGET, "vpc-cni", ROLE).render(PLAIN)
    assert f'service_account_role_arn = "{ROLE}"' in record_advice(helm, TARGET, "vpc-cni", ROLE).render(PLAIN)
    assert f"eks.amazonaws.com/role-arn: {ROLE}" in annotation_advice(helm, TARGET, "", ROLE).render(PLAIN)
    assert "kube-system/aws-node" in annotation_advice(None, TARGET, "", ROLE).render(PLAIN)


@pytest.mark.parametrize(
    ("case", "title", "expected"),
    [
        ("addon-role-missing", "repairing", Mark.URGENT),
        ("addon-role-missing", "approval-requested", Mark.URGENT),
        ("addon-role-missing", "verified", Mark.OK),
        ("addon-role-missing", "recovered", Mark.OK),
        ("addon-role-missing-latent", "repairing", Mark.NOTE),
        ("addon-role-missing-latent", "approval-requested", Mark.ACTION),
        ("mode-observe", "blocked", Mark.URGENT),
        ("cooldown", "blocked", Mark.ACTION),
        ("maintenance-window", "blocked", Mark.NOTE),
        ("addon-record-notify-only", "blocked", Mark.NOTE),
        ("addon-record-notify-only", "reminder", Mark.NOTE),
        ("cluster-initializing", "blocked", Mark.NOTE),
        ("binding-invalid", "needs-action", Mark.ACTION),
        ("trust-other-issuer", "needs-action", Mark.URGENT),
        ("trust-condition-wrong", "needs-action", Mark.ACTION),
        ("no-access", "needs-action", Mark.ACTION),
        ("nodes-waiting-for-cni", "needs-action", Mark.URGENT),
    ],
)
def test_the_mark_shows_the_urgency(case: str, title: str, expected: Mark) -> None:
    assert mark(dict(message_cases(FAULT_CASES[case]))[title]) is expected


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        (("annotate-service-account", "restart-workload"), "aws-node has its role again"),
        (("create-association",), "aws-node has its role again"),
        (("update-addon-role",), "the vpc-cni add-on record has the role of aws-node again"),
        (("update-addon-role", "replace-canary-pod"), "aws-node has its role again"),
    ],
)
def test_the_title_of_a_repair_names_what_was_changed_where_it_is_not_the_first_fault(changes: tuple[str, ...], title: str) -> None:
    first = dict(message_cases(FAULT_CASES["nodes-not-ready"]))["needs-action"]
    recovered = dict(message_cases(FAULT_CASES["nodes-not-ready"]))["recovered"]
    context = replace(first, kind=NotificationKind.VERIFIED, current=recovered.current, changes=changes, is_verified=True)
    assert f"prod-blue: {title} - repaired and verified" in write(context).subject


@pytest.mark.parametrize(
    "context", [pytest.param(context, id=f"{name} {title}") for name, case in FAULT_CASES.items() for title, context in message_cases(case)]
)
def test_no_line_appears_twice(context: MessageContext) -> None:
    text = write(context).text
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("    ")]  # documents may repeat lines
    assert len(lines) == len(set(lines))
    assert not [line for line in lines if "  " in line or " ." in line or ".." in line or "None" in line]


def test_a_timeline_counts_from_its_first_entry_and_omits_equal_assessments() -> None:
    at = datetime(2026, 11, 2, 2, 14, tzinfo=UTC)
    first = TimelineEntry(at=at, event=TimelineEvent.ASSESSMENT, text="annotation-missing", counts=(0, 15, 12, 15))
    rows = timeline(
        [
            first,
            replace(first, at=at + timedelta(seconds=5)),
            TimelineEntry(at=at + timedelta(seconds=7), event="annotate-service-account", text="annotation set"),
            TimelineEntry(event=TimelineEvent.APPROVAL, text="approved by jane"),
            TimelineEntry(at=at + timedelta(seconds=41), event=TimelineEvent.ASSESSMENT, text="healthy", counts=(15, 15, 0, 0)),
        ]
    )
    assert [(row.after, row.text) for row in rows] == [
        ("+0 s", "assessment: annotation-missing (0 of 15 pods with the role, 12 of 15 nodes Ready)"),
        ("+7 s", "annotation set"),
        ("", "approval: approved by jane"),
        ("+41 s", "assessment: healthy (15 of 15 pods with the role)"),
    ]
    assert rows[0].pods == (0, 15)
    assert rows[-1].nodes is None


def test_the_first_and_the_last_paragraph_are_kept_longest() -> None:
    parts = ["first", "a" * 400, "b" * 400, "last"]
    assert fit(parts, 500) == ["first", "a" * 400, "…", "last"]
    assert fit(parts, 60) == ["first", "…", "last"]
    assert fit(parts, 5_000) == parts


def test_the_deadline_of_auto_repair_counts_down() -> None:
    context = dict(message_cases(FAULT_CASES["addon-role-missing"]))["repairing"]

    def text(deadline: str) -> str:
        changed = replace(context, current=replace(context.current, repair_deadline=deadline))
        return "\n".join(paragraph.render(PLAIN) for paragraph in paragraphs(changed))

    assert "in 27 min." in text("2026-11-02T02:41:45+00:00")
    assert "at any time" in text("2026-11-02T02:14:41+00:00")
    assert "auto repair" not in text("")


HOSTS = {
    "evil.example/login": "evil․example/login",
    "see www.evil.example.": "see www.evil․example.",
    "mailto:x@evil.example": "mailto：x@evil.example",
    "MAILTO:evil.example": "MAILTO：evil․example",
    "evil.xn--p1ai/login": "evil․xn--p1ai/login",
    "..evil.example": "..evil․example",
    "see: .evil.example": "see: .evil․example",
    "a..evil.example": "a..evil․example",
    "@evil.example": "＠evil․example",
    "(evil.example)": "(evil․example)",
    "10.0.1.7.evil.example": "10.0.1.7.evil․example",
    "jane.doe@example.com": "jane.doe@example.com",
    f"{'a.' * 33}evil@b": f"{'a.' * 32}a․evil@b",
    "eks.amazonaws.com/role-arn": "eks.amazonaws.com/role-arn",
    "myamazonaws.com": "myamazonaws․com",
    "kubernetes.io.evil.example": "kubernetes.io.evil․example",
    "ip-10-0-1-7.eu-west-1.compute.internal": "ip-10-0-1-7.eu-west-1.compute.internal",
    "v1.20.0-eksbuild.1": "v1.20.0-eksbuild.1",
}


@pytest.mark.parametrize(("text", "shown"), HOSTS.items(), ids=HOSTS)
def test_chat_makes_no_link_of_a_foreign_host(text: str, shown: str) -> None:
    assert escape.chat(text) == shown


@pytest.mark.parametrize(("name", "start"), [("prod-eu", "prod-eu/prod-blue: "), ("", "prod-blue: ")])
def test_subject_and_first_lines_begin_with_the_environment_that_has_a_name(name: str, start: str) -> None:
    _, context = next(iter(message_cases(FAULT_CASES["annotation-missing"])))
    written = message(context, environment=replace(ENVIRONMENT, environment_name=name))
    assert written.subject.partition(" ")[2].startswith(start)
    assert written.text.partition(" ")[2].startswith(start)
    assert json.loads(written.chat)["content"]["title"].partition(" ")[2].startswith(start)
