"""Rows as a table for people, as JSON and as CSV for programs; written as they come."""

import csv
import itertools
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TextIO

FORMATS: Final = ("table", "json", "csv")
MEASURED: Final = 200  # rows that say how wide a column is
WIDEST: Final = 60
FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")  # marked is also what looks marked already, so that it can be taken back
Row = Mapping[str, Any]


def write(rows: Iterable[Row], columns: Sequence[str], form: str, out: TextIO | None = None) -> None:
    out = out or sys.stdout
    writers = {"table": _table, "json": _json, "csv": _csv}
    writers[form](rows, columns, out)


def one(row: Row, form: str, out: TextIO | None = None) -> None:
    """A single thing: a line for each of its values."""
    if form == "json":
        (out or sys.stdout).write(json.dumps(dict(row), indent=2, ensure_ascii=False) + "\n")
    else:
        write([{"name": name, "value": value} for name, value in row.items()], ("name", "value"), form, out)


def _table(rows: Iterable[Row], columns: Sequence[str], out: TextIO) -> None:
    lines = ([_shown(row.get(column)) for column in columns] for row in rows)
    first = list(itertools.islice(lines, MEASURED))
    heads = [column.rpartition(".")[2].replace("_", " ").upper() for column in columns]
    widths = [min(WIDEST, max(map(len, cells))) for cells in zip(heads, *first, strict=True)]
    for line in itertools.chain([heads], first, lines):
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        out.write("  ".join(cells).rstrip() + "\n")


def _json(rows: Iterable[Row], columns: Sequence[str], out: TextIO) -> None:  # noqa: ARG001 - as its neighbours
    """All that is known of each."""
    between = "[\n"
    for row in rows:
        out.write(between + json.dumps(dict(row), ensure_ascii=False))
        between = ",\n"
    out.write("[]\n" if between == "[\n" else "\n]\n")


def _csv(rows: Iterable[Row], columns: Sequence[str], out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_unharmful(_text(row.get(column))) for column in columns])


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list():
            return " ".join(map(_text, value))
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def _shown(value: Any) -> str:
    """In one line, and without what a terminal would obey: names of devices are chosen by others."""
    return "".join(_visible(_text(value)))


def _visible(text: str) -> Iterator[str]:
    for letter in text:
        yield letter if letter.isprintable() else " " if letter in "\n\t" else "\N{REPLACEMENT CHARACTER}"


def _unharmful(text: str) -> str:
    """A spreadsheet takes what begins like this for a formula, whoever wrote it."""
    return f"'{text}" if FORMULA.match(text) else text
