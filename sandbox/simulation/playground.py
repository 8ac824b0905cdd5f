"""A shell in which `aws`, `kubectl` and `irsa-remediator` work against the small EKS of the sandbox, until `exit`."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from sandbox.simulation.aws_account import CLUSTER, OPERATOR, role_arn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.simulation.environment import SandboxEnvironment

ROOT: Final = Path(__file__).resolve().parents[2]
ADMINISTRATORS: Final = "platform-admins"
ONCALL: Final = "oncall"
PROMPT: Final = "(small EKS) $ "
TOUR: Final = """
The small EKS runs on this machine: cluster {cluster}, Kubernetes {kubernetes},
{nodes} nodes, and the functions of the remediator. Everything is local: no
account is read, and `exit` takes all of it down. Five commands to try:

  1  irsa-remediator check
       shows the twelve links of the identity chain of aws-node
  2  kubectl -n kube-system get pods -o wide
       lists the pods of the plug-in; `kubectl get nodes` lists the nodes
  3  aws eks update-addon --cluster-name {cluster} --addon-name vpc-cni \\
       --addon-version {version} --resolve-conflicts OVERWRITE
       breaks it as in the original incident: the update names no role
  4  irsa-remediator check --watch
       shows the fault, and the repair by the deployed functions; Ctrl-C ends it
  5  irsa-remediator history
       lists the incident; `irsa-remediator history ID` shows its timeline

To repair by hand, set the mode before step 3, then plan and fix:
     irsa-remediator settings set {cluster} mode observe
     irsa-remediator plan
     irsa-remediator fix
`tour` shows this text again. The cluster serves no watch: `kubectl -w` fails.
"""
BROKEN_BY: Final = "v1.15.1-eksbuild.1"


def open_shell(env: SandboxEnvironment) -> None:
    """Open a shell and wait for its end. It reads commands from standard input where that is no terminal."""
    with tempfile.TemporaryDirectory(prefix="irsa-playground-") as folder:
        place = Path(folder)
        _let_in(env)
        variables = shell_variables(env, place)
        command = _shell(place, variables)
        # A handler, not SIG_IGN, which the shell would inherit: Ctrl-C is for the command in the shell.
        former = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            print((place / "tour.txt").read_text(encoding="utf-8"), flush=True)
            subprocess.run(command, env=variables, check=False)
        finally:
            signal.signal(signal.SIGINT, former)


def shell_variables(env: SandboxEnvironment, folder: Path) -> dict[str, str]:
    """The variables of the shell: those of this process, the local AWS as the role of a person, and a kubeconfig."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "IRSA_"))}
    _write_programs(folder, env)
    return {
        **kept,
        **env.function_variables(),
        **env.aws.environment(ONCALL),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_PAGER": "",
        "KUBECONFIG": str(_kubeconfig(env, folder)),
        "PATH": f"{folder / 'bin'}{os.pathsep}{kept.get('PATH', os.defpath)}",
    }


def _let_in(env: SandboxEnvironment) -> None:
    """Create the role of a person on call, an administrator of the cluster by access entry and RBAC."""
    env.aws.roles.create(ONCALL)
    entry = {"clusterName": CLUSTER, "principalArn": role_arn(ONCALL), "kubernetesGroups": [ADMINISTRATORS]}
    env.aws.client("eks").create_access_entry(**entry)
    rbac = "rbac.authorization.k8s.io"
    everything = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    named: dict[str, Any] = {"apiVersion": f"{rbac}/v1", "metadata": {"name": ADMINISTRATORS}}
    subjects = [{"apiGroup": rbac, "kind": "Group", "name": ADMINISTRATORS}]
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": ADMINISTRATORS}
    env.backend.apply({**named, "kind": "ClusterRole", "rules": everything}, OPERATOR)
    env.backend.apply({**named, "kind": "ClusterRoleBinding", "roleRef": role, "subjects": subjects}, OPERATOR)


def _kubeconfig(env: SandboxEnvironment, folder: Path) -> Path:
    """Write a kubeconfig whose token comes from this Python, so that kubectl needs no `aws`."""
    path = folder / "kubeconfig"
    path.touch(mode=0o600)
    exec_ = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": ["-m", "sandbox.simulation.cluster_token", CLUSTER],
        "env": [{"name": "PYTHONPATH", "value": str(ROOT)}],
        "interactiveMode": "Never",
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CLUSTER, "cluster": {"server": env.backend.url, "certificate-authority-data": env.backend.ca_data}}],
        "users": [{"name": ONCALL, "user": {"exec": exec_}}],
        "contexts": [{"name": CLUSTER, "context": {"cluster": CLUSTER, "user": ONCALL}}],
        "current-context": CLUSTER,
    }
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def _write_programs(folder: Path, env: SandboxEnvironment) -> None:
    """Write `irsa-remediator` and `tour`, which the shell finds first."""
    missing = [name for name in ("aws", "kubectl") if shutil.which(name) is None]
    note = f"Not installed here, so these steps cannot be tried: {', '.join(missing)}.\n" if missing else ""
    world = env.world
    tour = TOUR.format(cluster=CLUSTER, kubernetes=world.kubernetes, nodes=world.nodes, version=BROKEN_BY) + note
    (folder / "tour.txt").write_text(tour, encoding="utf-8")
    programs = {
        "irsa-remediator": f'PYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)} -m cli "$@"',
        "tour": f"cat {shlex.quote(str(folder / 'tour.txt'))}",
    }
    (folder / "bin").mkdir()
    for name, line in programs.items():
        path = folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        path.chmod(0o755)


def _shell(folder: Path, variables: Mapping[str, str]) -> list[str]:
    """The command of the user's shell, with its own start-up file and a prompt that names the playground.

    bash and zsh replace PATH and prompt in start-up files, so both are set after them. Another shell keeps its own prompt.
    """
    shell = os.environ.get("SHELL") or "/bin/sh"
    own = f"export PATH={shlex.quote(variables['PATH'])}\nPS1={shlex.quote(PROMPT)}\n"
    match Path(shell).name:
        case "bash":
            rc = folder / "bashrc"
            rc.write_text(f"test -f ~/.bashrc && . ~/.bashrc\n{own}", encoding="utf-8")
            return [shell, "--rcfile", str(rc)]
        case "zsh":
            (folder / ".zshrc").write_text(f"test -f ~/.zshrc && . ~/.zshrc\n{own}", encoding="utf-8")
            return ["env", f"ZDOTDIR={folder}", shell]
        case _:
            return [shell]
