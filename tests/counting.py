"""Which lines of protocol and service code have run: the code says so itself.

On Python 3.11 whoever looks at a program from outside slows all of it down, and most of what tests run need not be
covered.  So the modules of which [tool.coverage] speaks are compiled with a note before each statement, and `coverage`
judges by these notes as by its own.  `-p tests.counting` brings this before any such module is imported.
"""

import ast
import os
import sys
import tomllib
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from fnmatch import fnmatch
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

import pytest
from coverage import CoverageData

from tests import plan
from tests.services import ROOT

NAME: Final = "@notes"  # nothing that is written in Python is called so
_APPS: Final = {"devices", "enrollment", "epmm", "users"}
_COVERED: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["coverage"]["run"]["include"]
_notes: Final[defaultdict[str, dict[int, bool]]] = defaultdict(dict)  # by file, the lines that have run


class Noting(ast.NodeTransformer):
    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and not isinstance(node, ast.ExceptHandler | ast.match_case):
                setattr(node, name, list(_noted(block)))  # not what a lambda gives, nor a conditional expression
        passed: list[int] = []  # by whoever comes into a clause, which `coverage` takes for statements
        for clause in getattr(node, "handlers", ()) or getattr(node, "cases", ()):
            passed.append(clause.pattern.lineno if isinstance(clause, ast.match_case) else clause.lineno)
            clause.body = [*(_note(line, clause.body[0]) for line in passed), *_noted(clause.body)]
        return node


def _noted(block: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in block:
        if not _is_text(statement):  # a docstring must stay the first
            decorators = [each.lineno for each in getattr(statement, "decorator_list", ())]
            yield from (_note(line, statement) for line in (*decorators, statement.lineno))
        yield statement


def _is_text(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    return False


def _note(line: int, at: ast.stmt) -> ast.stmt:
    place = ast.Subscript(ast.Name(NAME, ast.Load()), ast.Constant(line), ast.Store())
    return ast.fix_missing_locations(ast.copy_location(ast.Assign([place], ast.Constant(value=True)), at))


class Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        """Not what is kept beside the source."""
        path = self.get_filename(fullname)
        code: CodeType = compile(Noting().visit(ast.parse(self.get_data(path))), path, "exec")
        return code

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__[NAME] = _notes[self.path]
        super().exec_module(module)


class Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in _APPS:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None and must_be_covered(Path(spec.origin)):
            spec.loader = Loader(fullname, spec.origin)
        return spec


def must_be_covered(path: Path) -> bool:
    return path.is_relative_to(ROOT) and any(fnmatch(str(path.relative_to(ROOT)), each) for each in _COVERED)


sys.meta_path.insert(0, Finder())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """What a test that does not count passes is forgotten."""
    if plan.counts(item):
        return (yield)
    before = {path: lines.copy() for path, lines in _notes.items()}
    result = yield
    for path, lines in _notes.items():
        lines.clear()
        lines.update(before.get(path, {}))
    return result


def pytest_sessionfinish() -> None:
    data = CoverageData(os.environ["COVERAGE_FILE"], suffix=True)
    data.add_lines(_notes)
    data.write()
