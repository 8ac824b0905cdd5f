"""Prints the token of `aws eks get-token` with botocore alone, which is faster than loading the AWS CLI."""

import base64
import os
import sys

from botocore.model import ServiceId
from botocore.session import Session
from botocore.signers import RequestSigner

session = Session()
region = os.environ["AWS_REGION"]
signer = RequestSigner(ServiceId("sts"), region, "sts", "v4", session.get_credentials(), session.get_component("event_emitter"))
request = {
    "method": "GET",
    "url": f"https://sts.{region}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
    "body": {},
    "headers": {"x-k8s-aws-id": sys.argv[1]},
    "context": {},
}
url = signer.generate_presigned_url(request, region_name=region, expires_in=60, operation_name="")
print("k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("="))
