"""IAM with the policy simulator, which moto lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from sandbox.aws.http_messages import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.aws.gateway import Backend

_NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"


def iam_backend(moto: Backend, allows: Callable[[str, str], bool]) -> Backend:
    """moto's IAM, which answers SimulatePrincipalPolicy by `allows(role ARN, action)`.

    Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """

    def answer(request: Request) -> Response:
        form = parse_qs(request.body.decode(errors="replace")) if request.body else {}
        if form.get("Action") != ["SimulatePrincipalPolicy"]:
            return moto(request)
        role = form["PolicySourceArn"][0]
        actions = [values[0] for name, values in sorted(form.items()) if name.startswith("ActionNames.member.")]
        return _simulated({action: allows(role, action) for action in actions})

    return answer


def _simulated(decisions: dict[str, bool]) -> Response:
    members = "".join(
        f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalDecision>{'allowed' if allowed else 'implicitDeny'}</EvalDecision>"
        "<EvalResourceName>*</EvalResourceName><MatchedStatements/><MissingContextValues/></member>"
        for action, allowed in decisions.items()
    )
    body = (
        f'<SimulatePrincipalPolicyResponse xmlns="{_NAMESPACE}"><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated>'
        f"<EvaluationResults>{members}</EvaluationResults></SimulatePrincipalPolicyResult>"
        "<ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata></SimulatePrincipalPolicyResponse>"
    )
    return Response(200, body.encode(), {"Content-Type": "text/xml"})
