"""The cloud assembly: templates as `make synth` creates them, adapted to the emulator, and the functions' package for this machine."""

from __future__ import annotations

import json
import platform
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from infra.asset import LAMBDA, Target, build
from sandbox.aws.local_aws import ACCOUNT, REGION
from sandbox.local_deployment.differences import Resource, adapted
from sandbox.simulation.aws_account import CLUSTER, ROLE, role_arn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sandbox.local_deployment.cdk import Cdk

CONFIGURATION: Final[Mapping[str, Any]] = {
    "environments": [
        {
            "account": ACCOUNT,
            "region": REGION,
            "clusters": [{"name": CLUSTER}],
            "bound_roles": [role_arn(ROLE)],
            "notify": {"mail": ["platform@example.com"], "slack": {"workspace": "T07EA123LEP", "channel": "C07EZ1ABC23"}},
        }
    ]
}
"""The content of `deploy.yaml`."""

STACK: Final = "EksIrsaRemediator"


@dataclass(frozen=True)
class Assembly:
    """The folder that `cdk deploy --app` takes, the number of resources in it, and the resources that were removed from it."""

    folder: Path
    resources: int
    removed: Mapping[str, Resource]


def synthesize(cdk: Cdk, folder: Path) -> Assembly:
    """Synthesize the stacks into a subfolder and adapt them.

    CDK builds no package for Lambda, since the one for this machine takes its place.

    Raises:
        BundlingFailed: the package cannot be built for this machine.
        CdkFailed: the templates cannot be synthesized.
    """
    configuration, out = folder / "deploy.yaml", folder / "cdk.out"
    configuration.write_text(yaml.safe_dump(dict(CONFIGURATION)), encoding="utf-8")
    cdk.run("synth", "--quiet", "--output", str(out), "--context", f"config={configuration}", "--context", "bundle=false")
    for asset in [path for path in out.glob("asset.*") if path.is_dir()]:
        shutil.rmtree(asset)
        build(Target(platform=f"manylinux2014_{platform.machine()}", python=LAMBDA.python), asset)
    kept = 0
    removed: dict[str, Resource] = {}
    for path in sorted(out.glob("*.template.json")):
        template, gone = adapted(json.loads(path.read_text(encoding="utf-8")))
        path.write_text(json.dumps(template), encoding="utf-8")
        kept += len(template["Resources"])
        removed |= gone
    return Assembly(out, kept, removed)
