"""`python -m sandbox.simulation.cluster_token CLUSTER` prints a token for kubectl, as `aws eks get-token` does.

Source: https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
"""

import json
import os
import sys

from lambdas.adapters.aws_session import AwsSession
from lambdas.adapters.eks_token import Tokens


def main() -> int:
    """Write an ExecCredential. kubectl runs this for each command, so it has no expiry."""
    token = Tokens(AwsSession(os.environ["AWS_REGION"]), "aws").get(sys.argv[1])
    print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
