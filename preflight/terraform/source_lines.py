"""The lines of .tf files that the findings of a plan are about. A plan has no lines of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from preflight.finding import Finding, by_severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.report import FileReport

_FIRST: Final = re.compile(r"^module\.(?P<module>[\w-]+)|^(?P<data>data\.)?(?P<type>\w+)\.(?P<name>[\w-]+)")
_ENTRY: Final = re.compile(r"""^\s*["']?vpc-cni["']?\s*[=:]""")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block of a .tf file, such as `module "eks"`, with its first and last line."""

    file: Path
    label: str
    first: int
    last: int


def located(report: FileReport, folder: str = "") -> FileReport:
    """Return the report with file and line of the blocks in the .tf files in the folder of the plan; unchanged where there are none."""
    beside = Path(folder) if folder else Path(report.file).parent if report.file != "stdin" else Path()
    if not report.findings or not any(beside.glob("*.tf")):
        return report
    blocks = {block.label: block for block in _blocks(beside)}
    return replace(report, findings=by_severity(_located(finding, blocks) for finding in report.findings))


def _located(finding: Finding, blocks: dict[str, Block]) -> Finding:
    first = _FIRST.match(finding.resource)
    if first is None:
        return finding
    label = f"module.{first['module']}" if first["module"] else f"{first['data'] or ''}{first['type']}.{first['name']}"
    block = blocks.get(label)
    if block is None:
        return finding
    line = _entry_line(block) if "aws_eks_addon" in finding.resource and first["module"] else block.first
    return replace(finding, file=str(block.file), line=line, column=1, block_line=block.first)


def _entry_line(block: Block) -> int:
    """Return the line of the entry vpc-cni in the arguments of a module call, or the first line of the block."""
    lines = block.file.read_text(encoding="utf-8").splitlines()[block.first - 1 : block.last]
    return next((block.first + index for index, line in enumerate(lines) if _ENTRY.match(line)), block.first)


def _blocks(folder: Path) -> Iterator[Block]:
    """Return the resource, data and module blocks of a folder. A file that is no HCL is left out."""
    from hcl2.api import parses_to_tree  # the grammar takes a tenth of a second to load
    from lark import Tree
    from lark.exceptions import LarkError

    for path in sorted(folder.glob("*.tf")):
        try:
            tree: Any = parses_to_tree(path.read_text(encoding="utf-8"))
        except (LarkError, OSError, UnicodeDecodeError, ValueError, RecursionError):
            continue
        body = next((child for child in tree.children if isinstance(child, Tree) and child.data == "body"), None)
        for block in body.children if body else ():
            if isinstance(block, Tree) and block.data == "block" and (label := _label(block)):
                yield Block(file=path, label=label, first=block.meta.line, last=block.meta.end_line)


def _label(block: Any) -> str:
    """Return the address of a block in its module; "" for blocks that have none."""
    kind, *labels = [
        "".join(str(token) for token in child.scan_values(lambda _: True)).strip('"') for child in block.children if _is_name(child)
    ]
    if kind == "module" and len(labels) == 1:
        return f"module.{labels[0]}"
    if kind in ("resource", "data") and len(labels) == 2:  # noqa: PLR2004  # type and name
        return f"{'data.' if kind == 'data' else ''}{labels[0]}.{labels[1]}"
    return ""


def _is_name(child: Any) -> bool:
    return getattr(child, "data", "") in ("identifier", "string")
