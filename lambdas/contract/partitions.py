"""AWS partitions, with the domains of their endpoints. A test compares them with botocore's data, which is too large to load for them."""

from typing import Final

DNS_SUFFIXES: Final = {
    "aws": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-eusc": "amazonaws.eu",
    "aws-iso": "c2s.ic.gov",
    "aws-iso-b": "sc2s.sgov.gov",
    "aws-iso-e": "cloud.adc-e.uk",
    "aws-iso-f": "csp.hci.ic.gov",
    "aws-us-gov": "amazonaws.com",
}
"""Partition -> domain of its endpoints.

Source: https://github.com/boto/botocore/blob/HEAD/botocore/data/partitions.json
"""

REGION: Final = r"[a-z]{2,4}(?:-[a-z]{1,12}){1,4}-\d{1,2}"
"""A pattern of the region names of every partition, such as `us-gov-west-1` and `eusc-de-east-1`."""
