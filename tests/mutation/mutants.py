"""The mutants of a module: what mutmut's operators change, as replacements of text, and which of them only change wording."""

from __future__ import annotations

import ast
import difflib
import json
import re
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from inspect import getattr_static
from pathlib import Path
from sys import modules
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / "build" / "mutation"
SOURCES: Final = ("lambdas/domain", "lambdas/application/remediation")
NOT_MUTATED: Final = frozenset({"lambdas/domain/ports.py"})
"""Protocols, which have no code."""


@dataclass(frozen=True)
class Mutant:
    """One change of one function."""

    module: str
    function: str
    """The qualified name within the module."""
    start: int
    end: int
    """The replaced text of the module, as offsets."""
    replacement: str
    lines: tuple[int, int]
    """The first and the last line of the statement that changes. Tests that execute none of them cannot notice."""
    is_wording: bool

    @property
    def name(self) -> str:
        return f"{self.module}.{self.function}"

    @property
    def file(self) -> Path:
        return module_file(self.module)

    def source(self) -> str:
        """The module with this change."""
        text = read(self.file)
        return text[: self.start] + self.replacement + text[self.end :]

    def change(self) -> tuple[str, str]:
        """The changed lines before and after, each on one line."""
        before, after = ([line.strip() for line in text.splitlines()] for text in (read(self.file), self.source()))
        lines = list(difflib.unified_diff(before, after, n=0))[2:]
        removed, added = ([line[1:] for line in lines if line.startswith(sign)] for sign in "-+")
        return " ".join(removed), " ".join(added)

    def text(self) -> str:
        """Function and change, on three lines."""
        before, after = self.change()
        return f"{self.name}\n  - {before}\n  + {after}\n"

    def apply(self) -> None:
        """Change the function in this process. Every reference to it sees the change, because the function object stays the same."""
        namespace = vars(modules[self.module])
        original = _function(namespace, self.function)
        changed = _function(_definitions(self.source(), self.function, namespace), self.function)
        original.__code__, original.__defaults__, original.__kwdefaults__ = changed.__code__, changed.__defaults__, changed.__kwdefaults__


@cache
def read(path: Path) -> str:
    """The text of a file, as it was when its mutants were made."""
    return path.read_text(encoding="utf-8")


def module_file(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _definitions(source: str, function: str, namespace: dict[str, Any]) -> dict[str, Any]:
    """The names that the statement with this function defines, when it is executed in a copy of the namespace."""
    outer, _, method = function.partition(".")
    found = next(node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == outer)
    if isinstance(found, ast.ClassDef):
        methods: list[ast.stmt] = [node for node in found.body if isinstance(node, ast.FunctionDef) and node.name == method]
        found = ast.ClassDef(name=outer, bases=[], keywords=[], body=methods, decorator_list=[])
    future: ast.stmt = ast.ImportFrom(module="__future__", names=[ast.alias(name="annotations")], level=0)
    scope = dict(namespace)
    exec(compile(ast.fix_missing_locations(ast.Module(body=[future, found], type_ignores=[])), function, "exec"), scope)  # noqa: S102
    return scope


def _function(namespace: dict[str, Any], name: str) -> FunctionType:
    outer, _, method = name.partition(".")
    found = getattr_static(namespace[outer], method) if method else namespace[outer]
    found = getattr(found, "__func__", found)
    if not isinstance(found, FunctionType):
        raise TypeError(f"{name} is not a plain function")
    return found


def all_mutants() -> list[Mutant]:
    """Every mutant of the mutated code, by module and position."""
    return [mutant for path in mutated_files() for mutant in cached_mutants(path)]


def mutated_files() -> list[Path]:
    """The files of the mutated code."""
    files = sorted(path for source in SOURCES for path in (ROOT / source).rglob("*.py"))
    return [path for path in files if path.relative_to(ROOT).as_posix() not in NOT_MUTATED]


def module_of(path: Path) -> str:
    """The module of a file, such as `lambdas.domain.fleet`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def cached_mutants(path: Path) -> list[Mutant]:
    """The mutants of a file, from the cache if neither the file nor this module changed."""
    text = read(path)
    key = sha256(f"{Path(__file__).read_text(encoding='utf-8')}\0{text}".encode()).hexdigest()[:20]
    stored = CACHE / "mutants" / f"{key}.json"
    if not stored.exists():
        stored.parent.mkdir(parents=True, exist_ok=True)
        stored.write_text(json.dumps([asdict(mutant) for mutant in mutants_of(module_of(path), text)]), encoding="utf-8")
    rows = json.loads(stored.read_text(encoding="utf-8"))
    return [Mutant(**{**row, "lines": tuple(row["lines"])}) for row in rows]


def mutants_of(module: str, text: str) -> Iterator[Mutant]:
    """Make the mutants of a module's text with mutmut's operators."""
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider
    from mutmut.mutation.file_mutation import create_mutations

    tree, mutations, _, _ = create_mutations(module, text)
    positions = MetadataWrapper(tree, unsafe_skip_copy=True).resolve(PositionProvider)
    parents = dict(_parents(tree))
    offsets = [0, *(index + 1 for index, character in enumerate(text) if character == "\n")]
    statements = _statements(text)
    for mutation in mutations:
        function, before, after = mutation.contained_by_top_level_function, mutation.original_node, mutation.mutated_node
        if not isinstance(function, cst.FunctionDef):
            continue
        bare: dict[str, Any] = {"lpar": [], "rpar": []} if getattr(before, "lpar", ()) else {}  # positions are those within the parentheses
        original, replacement = tree.code_for_node(before.with_changes(**bare)), tree.code_for_node(after.with_changes(**bare))
        if isinstance(before, cst.Match) and isinstance(after, cst.Match):  # rendering a whole block would lose its indentation
            kept = {id(case) for case in after.cases}
            before, original, replacement = next(case for case in before.cases if id(case) not in kept), "", ""
        place = positions[before]
        start, end = offsets[place.start.line - 1] + place.start.column, offsets[place.end.line - 1] + place.end.column
        if original and text[start:end] == original.strip():
            original, replacement = original.strip(), replacement.strip()
        if original and text[start:end].split() != original.split():
            raise ValueError(f"{module}: {text[start:end]!r} is not the text of the changed node {original!r}")
        name, outer = function.name.value, parents.get(id(parents[id(function)]))
        lines = _reached_lines(statements, place.start.line, place.end.line)
        qualified = f"{outer.name.value}.{name}" if isinstance(outer, cst.ClassDef) else name
        yield Mutant(module, qualified, start, end, replacement, lines, is_wording(mutation.original_node, after, parents))


def _statements(text: str) -> list[tuple[int, int, bool]]:
    """The statements as first line, last line of the own expressions, and whether it is a function."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            found.append((node.lineno, node.end_lineno or node.lineno, True))
        elif isinstance(node, ast.Match):
            found.append((node.lineno, node.subject.end_lineno or node.lineno, False))
            found.extend((case.pattern.lineno, case.body[0].lineno - 1, False) for case in node.cases)
        elif isinstance(node, ast.stmt):
            body: list[ast.stmt] = getattr(node, "body", [])
            found.append((node.lineno, max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno, False))
    return found


def _reached_lines(statements: list[tuple[int, int, bool]], first: int, last: int) -> tuple[int, int]:
    """The lines of the smallest statement around these lines; a default value belongs to the whole function."""
    around = [statement for statement in statements if statement[0] <= first <= statement[1]]
    smallest = min(around, key=lambda statement: (statement[1] - statement[0], statement[2]))
    return smallest[0], smallest[1] if smallest[2] else max(last, smallest[1])


def _parents(node: Any) -> Iterator[tuple[int, Any]]:
    for child in node.children:
        yield id(child), node
        yield from _parents(child)


PROSE: Final = re.compile(r"[A-Za-z].* | .*[A-Za-z]", re.DOTALL)
"""A letter and a space."""
COMMAND: Final = re.compile(r" --|\b(?:aws|kubectl|eksctl|helm|terraform|irsa-remediator) ")
TEXT_FUNCTIONS: Final = frozenset({"Evidence", "Remedy", "ok", "unknown", "not_applicable", "pluralize", "pluralize_share"})
"""Functions whose literal arguments are read by people only."""
READING_METHODS: Final = frozenset(
    {
        "count",
        "endswith",
        "find",
        "get",
        "index",
        "lstrip",
        "partition",
        "removeprefix",
        "removesuffix",
        "replace",
        "rfind",
        "rindex",
        "rpartition",
        "rsplit",
        "rstrip",
        "split",
        "startswith",
        "strip",
    }
)


def is_wording(before: Any, after: Any, parents: dict[int, Any]) -> bool:
    """Whether a change only alters the letters of a sentence for people, so that no decision, stored word or command changes.

    Such a text is a literal with a letter and a space, a literal inside an f-string with such a text ("does" or "do"), or one that is an
    argument of a function that makes sentences. It is not a pattern, a command, or something that the code compares, looks up or searches
    for. To remove a text, or to replace it by None, is not wording.
    """
    import libcst as cst

    if not isinstance(before, cst.SimpleString) or not isinstance(after, cst.SimpleString) or "r" in before.prefix.lower():
        return False
    text = before.evaluated_value
    if not isinstance(text, str) or COMMAND.search(text):
        return False
    around = list(_ancestors(before, parents))
    is_text = bool(PROSE.search(text)) or any(_is_in_text(parent) for _, parent in around)
    return is_text and not any(_is_read(node, parent) for node, parent in around)


def _ancestors(node: Any, parents: dict[int, Any]) -> Iterable[tuple[Any, Any]]:
    """The node and its parent, then both one level up, until the statement."""
    import libcst as cst

    while (parent := parents.get(id(node))) is not None and not isinstance(node, cst.BaseStatement | cst.BaseSmallStatement):
        yield node, parent
        node = parent


def _is_in_text(parent: Any) -> bool:
    """Whether this is an f-string with a sentence, or a call that makes a text."""
    import libcst as cst

    match parent:
        case cst.FormattedString():
            return any(
                isinstance(part, cst.FormattedStringText) and PROSE.search(part.value) and not COMMAND.search(part.value)
                for part in parent.parts
            )
        case cst.Call(func=cst.Name(value=called)):
            return called in TEXT_FUNCTIONS
    return False


def _is_read(node: Any, parent: Any) -> bool:
    """Whether code reads the text in this place instead of passing it on to people."""
    import libcst as cst

    match parent:
        case cst.Comparison() | cst.ComparisonTarget() | cst.MatchValue():
            return True
        case cst.Subscript():
            return node is not parent.value
        case cst.DictElement():
            return node is parent.key
        case cst.Call(func=cst.Attribute(attr=cst.Name(value=called), value=receiver)):
            is_pattern = isinstance(receiver, cst.Name) and receiver.value == "re"
            return node is not parent.func and (is_pattern or called in READING_METHODS)
    return False
