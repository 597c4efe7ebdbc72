"""The notes say of code what `coverage` finds by looking at it from outside."""

import runpy
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path

import pytest
from coverage import Coverage

from tests import counting
from tests.services import ROOT

CODE = '''"""A docstring."""

import asyncio
import contextlib
from dataclasses import (
    dataclass,
    field,
)
from functools import cache


@dataclass(
    frozen=True,
)
class Point:
    """Where it is."""

    x: int = 0
    names: list[str] = field(
        default_factory=list,
    )

    def __add__(self, other):
        return Point(
            self.x + other.x
        )

    @property
    def never(self):
        return 1


@cache
@cache
def kind(value):
    match value:
        case None:
            return "none"
        case Point(x=0):
            return "origin"
        case int() if value > 3:
            return "large"
        case [_, *_]:
            return "several"
    return "other"


def loop(numbers):
    for number in numbers:
        if number == 1:
            continue
        elif number == 2:
            break
        else:
            pass
    else:
        return None
    while True:
        numbers = (
            lambda: []
        )()
        break
    return numbers or [
        each
        for each in "ab"
    ]


def caught(value):
    try:
        1 / value
    except (ZeroDivisionError,
            OverflowError):
        return "zero"
    except TypeError as error:
        raise ValueError from error
    else:
        value += 1
    finally:
        with contextlib.suppress(KeyError), contextlib.suppress(
            IndexError
        ):
            {}[value]
            value = 0
    return value


def numbers():
    """A generator."""
    global seen
    seen = yield 1
    yield from (2, 3)


async def later():
    async with asyncio.timeout(None):
        async for each in more():
            return each


async def more():
    yield 1
    yield 2


if __name__ != "never":
    Point(1) + Point(2)
    assert [kind(each) for each in (None, 4, (1, 2))] == ["none", "large", "several"]
    loop((0, 1, 2)), loop(())
    caught(0), caught(1)
    with contextlib.suppress(ValueError):
        caught("")
    list(numbers())
    asyncio.run(later())
else:
    print("never")
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sample.py"
    path.write_text(CODE)
    return path


def noted(file: Path) -> set[int]:
    loader = counting.Loader("sample", str(file))
    module = module_from_spec(ModuleSpec("sample", loader, origin=str(file)))
    try:
        sys.modules["sample"] = module  # dataclasses look for it
        loader.exec_module(module)
        return set(counting._notes[str(file)])
    finally:
        del sys.modules["sample"], counting._notes[str(file)]


def test_the_notes_are_those_of_coverage(file: Path) -> None:
    coverage = Coverage(data_file=None, include=[str(file)], config_file=False)
    with coverage.collect():
        runpy.run_path(str(file))
    _, statements, _, missing, _ = coverage.analysis2(str(file))

    assert missing
    assert noted(file) & set(statements) == set(statements) - set(missing)


def test_it_notes_what_must_be_covered_and_nothing_else() -> None:
    assert all(counting.must_be_covered(ROOT / path) for path in ("epmm/wire/plist.py", "users/services/people.py"))
    assert not any(counting.must_be_covered(path) for path in (ROOT / "epmm/jobs.py", Path("/x/services/people.py")))
