"""Short names for those who did something: IAM ARNs and Kubernetes user names as people know them."""

import re
from typing import Final

_SESSION: Final = re.compile(r"arn:[\w-]+:sts::\d{12}:assumed-role/(?P<role>[^/]+)/(?P<session>.+)")
_SERVICE_ACCOUNT: Final = re.compile(r"system:serviceaccount:(?P<namespace>[^:]+):(?P<name>[^:]+)")
_PRINCIPAL: Final = re.compile(r"arn:[\w-]+:iam::\d{12}:(?P<kind>user|role)/(?:.*/)?(?P<name>[^/]+)")


def short_name(who: str) -> str:
    """`ci-deploy (session 1698)`, `user jane`, or the text as it is where it is no ARN that we know."""
    if session := _SESSION.fullmatch(who):
        return f"{session['role']} (session {session['session']})"
    if principal := _PRINCIPAL.fullmatch(who):
        return f"{principal['kind']} {principal['name']}"
    if account := _SERVICE_ACCOUNT.fullmatch(who):
        return f"ServiceAccount {account['namespace']}/{account['name']}"
    return "the account's root user" if who.endswith(":root") else who
