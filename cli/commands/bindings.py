"""`irsa-remediator bindings`."""

from typing import Annotated

import typer

from cli.asked import Asked

CLUSTER_ARGUMENT = typer.Argument(help="A cluster, or _default for every cluster without its own.", show_default=False)
OF = typer.Option("--cluster", "-c", help="Only this cluster's; _default is a name here.")
Whose = Annotated[str, CLUSTER_ARGUMENT]
Of = Annotated[str, OF]
AccountArgument = Annotated[str, typer.Argument(metavar="NAMESPACE/NAME", help="The ServiceAccount.")]


def list_(asked: Asked, *, cluster: Of = "") -> int:
    """List every binding, with what is wrong with it.

    Example: irsa-remediator bindings list
    """
    from cli.parameters_view import listed

    return listed(asked, "bindings", cluster, validate=False)


def validate(asked: Asked, *, cluster: Of = "") -> int:
    """Check every binding: form, partition, and whether the role exists.

    Exit code 1 where one is wrong.

    Example: irsa-remediator bindings validate --output json
    """
    from cli.parameters_view import listed

    return listed(asked, "bindings", cluster, validate=True)


def set_(
    asked: Asked, *, cluster: Whose, service_account: AccountArgument, role: Annotated[str, typer.Argument(metavar="ROLE_ARN")]
) -> int:
    """Write a binding: the consent to repair this ServiceAccount.

    The role is checked first.

    Example: irsa-remediator bindings set prod-blue kube-system/aws-node arn:aws:iam::111122223333:role/prod-blue-vpc-cni
    """
    from cli import wiring
    from cli.parameters import set_binding
    from cli.parameters_view import changed
    from cli.targets import split

    outside = wiring.connect(asked)
    former = outside.readers.parameters.load()
    return changed(asked, set_binding(cluster, split(service_account), role, outside), former, "bindings set")


def unset(asked: Asked, *, cluster: Whose, service_account: AccountArgument) -> int:
    """Remove a binding: nothing is written for this ServiceAccount any more.

    Example: irsa-remediator bindings unset prod-blue kube-system/aws-node
    """
    from cli import wiring
    from cli.parameters import whose
    from cli.parameters_view import unset as remove
    from cli.targets import split
    from lambdas.contract.parameters import binding_path

    path = binding_path(whose(cluster), *split(service_account))
    return remove(asked, path, wiring.connect(asked), "bindings unset")


COMMANDS = {"list": list_, "set": set_, "unset": unset, "validate": validate}
