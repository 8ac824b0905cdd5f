"""Find the VPC CNI's logs in a bundle of the EKS log collector, `eks_i_*.tar.gz`. Nothing is extracted to the disk.

Sources: https://github.com/awslabs/amazon-eks-ami/blob/main/log-collector-script/linux/eks-log-collector.sh
https://docs.aws.amazon.com/eks/latest/userguide/auto-get-logs.html (the node monitoring agent collects the same bundle)
"""

from __future__ import annotations

import gzip
import re
import tarfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_BUNDLE_BYTES: Final = 4 * 1024**3
"""Bytes of a bundle that are read at most in one pass, after decompression."""
MAX_MEMBERS: Final = 100_000
MAX_LOGS: Final = 16
"""Logs that are read from one bundle. The plug-in keeps six files."""
_HEADERS_BYTES: Final = 4 * 1024**2
"""Bytes that the headers between two members may have. A larger header could fill the memory."""
_LOG: Final = re.compile(r"(?:^|/)aws-routed-eni/ipamd[^/]{0,100}\.log(?:\.gz)?\Z")
_GZIP: Final = b"\x1f\x8b"
_TAR_OFFSET: Final = 257
_TAR: Final = b"ustar"


@dataclass(frozen=True)
class BundledLog:
    """One log in a bundle, by its position, since two members may have the same name."""

    bundle: Path
    name: str
    position: int

    def open(self) -> Iterator[IO[bytes]]:
        """Yield the open log once.

        Raises:
            CommandError: the bundle is damaged or too large.
        """
        with self.bundle.open("rb") as file:
            for position, (archive, member) in enumerate(_members(file, str(self.bundle))):
                if position == self.position and (content := archive.extractfile(member)):
                    yield gzip.GzipFile(fileobj=content) if member.name.endswith(".gz") else content  # type: ignore[misc]  # it reads bytes
                    return


def is_bundle(path: Path) -> bool:
    """Return whether the file is a tar archive, compressed or not.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        try:
            return is_tar(decompressed(file).read(_TAR_OFFSET + len(_TAR)))
        except (EOFError, gzip.BadGzipFile):
            return False


def logs_of(path: Path) -> tuple[BundledLog, ...]:
    """Return the logs of the VPC CNI in a bundle.

    Raises:
        CommandError: the bundle has none, has too many, or is damaged.
    """
    with path.open("rb") as file:
        names = [(position, member.name) for position, (_, member) in enumerate(_members(file, str(path))) if _is_log(member)]
    if not names:
        raise CommandError(
            f"{path} has no file aws-routed-eni/ipamd.log", next_step="collect the logs again on a Linux node that runs aws-node"
        )
    if len(names) > MAX_LOGS:
        raise CommandError(f"{path} has {len(names)} logs of the CNI", next_step="extract the newest ones and give their names")
    return tuple(BundledLog(path, name, position) for position, name in names)


def _is_log(member: tarfile.TarInfo) -> bool:
    return member.isreg() and _LOG.search(member.name) is not None


def _members(file: IO[bytes], name: str) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """The members in their order, one at a time. The content of one can be read until the next is requested."""
    metered = _Metered(decompressed(file), name, _HEADERS_BYTES, MAX_BUNDLE_BYTES)
    try:
        with tarfile.open(fileobj=metered, mode="r|") as archive:  # type: ignore[call-overload]  # a stream needs only `read`
            for _ in range(MAX_MEMBERS):
                member = archive.next()
                if member is None:
                    return
                archive.members.clear()  # else it keeps every header
                metered.allowance = member.size + _HEADERS_BYTES
                yield archive, member
    except (tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
        raise CommandError(f"{name} is not a complete archive: {error}", next_step="copy the file again from the node") from error
    raise CommandError(f"{name} has more than {MAX_MEMBERS} files", next_step="extract ipamd.log and give its name")


@dataclass
class _Metered:
    """A stream that ends with an error where more is read than a header or a member may have, or than a bundle may have."""

    file: IO[bytes]
    name: str
    allowance: int
    remaining: int

    def read(self, size: int) -> bytes:
        data = self.file.read(size)
        self.allowance -= len(data)
        self.remaining -= len(data)
        if self.allowance < 0 or self.remaining < 0:
            raise CommandError(f"{self.name} is too large, or a header in it is", next_step="extract ipamd.log and give its name")
        return data


def is_tar(start: bytes) -> bool:
    """Return whether a file that begins with these bytes is a tar archive. Its first 262 bytes show it."""
    return start[_TAR_OFFSET:].startswith(_TAR)


def decompressed(file: IO[bytes]) -> IO[bytes]:
    """Return the stream, decompressed where it is gzip. A stream that cannot be peeked into is returned as it is."""
    is_compressed = hasattr(file, "peek") and file.peek(2)[:2] == _GZIP
    return gzip.GzipFile(fileobj=file) if is_compressed else file  # type: ignore[return-value]  # it reads bytes
