"""AWS commands for people: each names its region, so that it does not depend on the shell of the reader."""


def aws_command(operation: str, region: str, *options: str) -> str:
    """The command of a regional service, such as `ssm get-parameter`. Options come quoted. Commands of IAM need no region."""
    return " ".join((f"aws {operation} --region {region}", *options))
