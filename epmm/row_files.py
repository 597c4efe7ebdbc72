"""Rows in files, as CSV and as JSON: one reader, one writer, for all that is imported and exported."""

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from django.utils.translation import gettext as _

from epmm.imports import Fault, ImportRefused, Row, Value
from epmm.numbers import grouped
from epmm.texts import is_storable

MOST: Final = 50_000
LONGEST_CELL: Final = 20_000
LONGEST: Final = 16 << 20  # of a file that was packed
NESTED: Final = 10 * MOST  # lists and objects in it: JSON makes a hundred bytes of two
PACKED: Final = b"\x1f\x8b"  # how what gzip makes begins
MARK: Final = "\N{BYTE ORDER MARK}"
# A spreadsheet takes what begins like this for a formula, whoever wrote it.  Marked is also what looks marked already.
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED: Final = re.compile(r"'+[=+\-@\t\r]")
_FLAGS: Final = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


class Form(StrEnum):
    CSV = "csv"
    JSON = "json"


class Kind(StrEnum):
    TEXT = "text"
    FLAG = "flag"
    WORDS = "words"  # of a set; in CSV with spaces between


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: Kind = Kind.TEXT


class TooLong(ImportRefused):
    pass


def unpacked(raw: bytes) -> bytes:
    """What gzip has packed.  Raises ImportRefused."""
    try:
        found = gzip.GzipFile(fileobj=io.BytesIO(raw)).read(LONGEST + 1)
    except EOFError as error:
        raise ImportRefused(_("What gzip has packed is not whole: its end is missing.")) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ImportRefused(_("The body is not what gzip makes.")) from error
    if len(found) > LONGEST:
        raise TooLong(_("The file is longer than {n} MB.").format(n=LONGEST >> 20))
    if found.count(b"[") + found.count(b"{") > NESTED:
        raise ImportRefused(_("One file has at most {n} rows.").format(n=grouped(MOST)))
    return found


def text(raw: bytes) -> str:
    """Of a file as somebody has it, packed or not.  Raises ImportRefused."""
    try:
        return (unpacked(raw) if raw.startswith(PACKED) else raw).decode()
    except UnicodeDecodeError as error:
        raise ImportRefused(_("The file is no text in UTF-8.")) from error


def form_of(content: str) -> Form:
    return Form.JSON if content.removeprefix(MARK).lstrip().startswith(("[", "{")) else Form.CSV


def read(content: str, form: Form, columns: Sequence[Column], key: str) -> Iterator[Row | Fault]:
    """Row by row; what is absent stays absent.  Raises ImportRefused where it is the file that is wrong."""
    known = {column.name: column for column in columns}
    lines = _csv_rows(content, known, key) if form is Form.CSV else _json_rows(content, known, key)
    for place, each in enumerate(lines):
        if place >= MOST:
            raise ImportRefused(_("One file has at most {n} rows.").format(n=grouped(MOST)))
        yield each


def write(rows: Iterable[Mapping[str, Value]], form: Form, columns: Sequence[Column]) -> Iterator[str]:
    """The file, in pieces."""
    return _written_csv(rows, columns) if form is Form.CSV else _written_json(rows)


def harmless(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


# --- CSV --------------------------------------------------------------------------------------------------------------


def _csv_rows(content: str, known: Mapping[str, Column], key: str) -> Iterator[Row | Fault]:
    text = content.removeprefix(MARK)
    head = text.partition("\n")[0]
    csv.field_size_limit(LONGEST)  # a label may have many devices
    # what spreadsheets write where the comma is for fractions
    reader = csv.reader(io.StringIO(text), delimiter=";" if ";" in head and "," not in head else ",", strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        _check_names(names, known, key)
        yield from _csv_lines(reader, names, known)
    except csv.Error as error:
        raise ImportRefused(_("Line {n} is no CSV.").format(n=reader.line_num)) from error


def _csv_lines(reader: Any, names: Sequence[str], known: Mapping[str, Column]) -> Iterator[Row | Fault]:
    before = reader.line_num
    for cells in reader:
        line, before = before + 1, reader.line_num
        if not any(cells):
            continue
        if len(cells) != len(names):
            yield Fault(
                line, _("There are {n} cells in this line, and {m} columns.").format(n=len(cells), m=len(names))
            )
            continue
        yield _typed(line, dict(zip(names, map(_plain, cells), strict=True)), known)


def _plain(cell: str) -> str:
    return cell[1:] if _ESCAPED.match(cell) else cell


def _written_csv(rows: Iterable[Mapping[str, Value]], columns: Sequence[Column]) -> Iterator[str]:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([column.name for column in columns])
    for row in rows:
        writer.writerow([harmless(_cell(row[column.name])) for column in columns])
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    yield out.getvalue()


def _cell(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else " ".join(value)


# --- JSON -------------------------------------------------------------------------------------------------------------


def _json_rows(content: str, known: Mapping[str, Column], key: str) -> Iterator[Row | Fault]:
    """Numbered, for what is one row need not be one line."""
    try:
        found = json.loads(content.removeprefix(MARK))
    except (ValueError, RecursionError) as error:
        raise ImportRefused(_("This is no JSON.")) from error
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ImportRefused(_("The JSON is a list of objects."))
    _check_names(list(dict.fromkeys(name for each in found for name in each)), known, key if found else "")
    for number, each in enumerate(found, start=1):
        yield (
            _typed(number, each, known) if key in each else Fault(number, _("{column} is missing.").format(column=key))
        )


def _written_json(rows: Iterable[Mapping[str, Value]]) -> Iterator[str]:
    between = "[\n"
    for row in rows:
        yield between + json.dumps(dict(row), ensure_ascii=False)
        between = ",\n"
    yield "[]\n" if between == "[\n" else "\n]\n"


# --- both -------------------------------------------------------------------------------------------------------------


def _check_names(names: Sequence[str], known: Mapping[str, Column], key: str) -> None:
    if unknown := [name for name in names if name not in known]:
        said = _("There are no columns {unknown}. The columns are {known}.")
        told = ", ".join(repr(name[:50]) for name in unknown[:10])
        raise ImportRefused(said.format(unknown=told, known=", ".join(known)))
    if len(set(names)) < len(names):
        raise ImportRefused(_("A column is there twice."))
    if key and key not in names:
        raise ImportRefused(_("The column {column} is missing.").format(column=key))


def _typed(line: int, raw: Mapping[str, Any], known: Mapping[str, Column]) -> Row | Fault:
    values: dict[str, Value] = {}
    for name, given in raw.items():
        value = _value(given, known[name].kind)
        if value is None:
            words = {Kind.TEXT: _("a text"), Kind.FLAG: _("true or false"), Kind.WORDS: _("words")}
            return Fault(line, _("{column} is {kind}.").format(column=name, kind=words[known[name].kind]))
        values[name] = value
    return Row(line, values)


def _value(given: Any, kind: Kind) -> Value | None:
    match kind:
        case Kind.FLAG:
            return given if isinstance(given, bool) else _FLAGS.get(str(given).strip().lower())
        case Kind.WORDS:
            words = given.split() if isinstance(given, str) else given
            is_list = isinstance(words, list) and all(isinstance(word, str) and _is_text(word) for word in words)
            return tuple(sorted(set(words))) if is_list else None
        case Kind.TEXT:
            text = "" if given is None else given
            return text.strip() if isinstance(text, str) and _is_text(text) else None


def _is_text(text: str) -> bool:
    return is_storable(text) and len(text) <= LONGEST_CELL
