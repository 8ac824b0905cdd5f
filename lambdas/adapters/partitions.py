"""Facts about AWS partitions, from the data of botocore."""

from functools import cache

from lambdas.adapters.service_models import model_loader
from lambdas.domain.errors import PermanentError


@cache
def dns_suffix(partition: str) -> str:
    """Return the domain of the partition's regional endpoints, such as `amazonaws.com`.

    Raises:
        PermanentError: the installed botocore does not know the partition.
    """
    known = {item["id"]: item["outputs"]["dnsSuffix"] for item in model_loader().load_data("partitions")["partitions"]}
    if partition not in known:
        raise PermanentError(f"the installed botocore does not know the partition {partition}, but {', '.join(sorted(known))}; update it")
    return str(known[partition])
