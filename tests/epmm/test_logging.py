import errno
import io
import json
import logging
from collections.abc import Iterator

import pytest

from epmm import request_id
from epmm.logging import LINES, NEVER_LOGGED, AddressFilter, BufferedHandler, JsonFormatter, LineFormatter
from tests.epmm.processes import eventually


def line(message: str, *arguments: object, **extra: object) -> str:
    record = logging.getLogger("tests").makeRecord(
        "tests", logging.INFO, "file.py", 1, message, arguments, None, extra=extra
    )
    return LineFormatter().format(record)


def test_a_record_is_one_line_with_its_extras_in_order() -> None:
    text = line("device %s checked in", "C02", udid="0000", attempt=2)

    assert text.endswith(" INFO tests: device C02 checked in attempt=2 udid=0000")


@pytest.mark.parametrize("key", sorted(NEVER_LOGGED) + ["Password", "PIN", "Unlock_Token"])  # noqa: RUF005 - reads well
def test_what_stands_under_a_secret_name_is_never_written(key: str) -> None:
    text = line("signed in", **{key: "hunter2"})

    assert "hunter2" not in text
    assert text.endswith(f"{key}=[hidden]")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("phone\n2026-11-22 INFO root: all is well", "phone\\n2026-11-22 INFO root: all is well"),
        ("phone\r\x1b[2K", "phone\\r\\x1b[2K"),
        ("phone\u2028", "phone\\u2028"),
        ("Annas Telefon ☎ äöü", "Annas Telefon ☎ äöü"),
    ],
)
def test_a_device_cannot_begin_a_line_of_its_own(name: str, written: str) -> None:
    assert line("%s checked in", name).endswith(f"{written} checked in")
    assert line("checked in", device=name).endswith(f"device={written}")


def test_a_traceback_keeps_its_lines() -> None:
    error = ZeroDivisionError()
    record = logging.LogRecord("tests", logging.ERROR, "file.py", 1, "failed", (), (type(error), error, None))

    assert LineFormatter().format(record).splitlines()[-1] == "ZeroDivisionError"


def entry(**extra: object) -> dict[str, object]:
    record = logging.getLogger("tests").makeRecord("tests", logging.INFO, "file.py", 1, "hello %s", ("Anna",), None)
    vars(record).update(extra)
    return dict(json.loads(JsonFormatter().format(record)))


def test_a_json_line_has_its_parts_under_names() -> None:
    with request_id.known_as("request-of-anna"):
        said = entry(udid="0000", password="hunter2", device="a\nb")

    assert said.pop("time", "").endswith("Z")  # type: ignore[attr-defined] # a text
    assert said == {
        "level": "INFO",
        "logger": "tests",
        "message": "hello Anna",
        "request_id": "request-of-anna",
        "udid": "0000",
        "password": "[hidden]",
        "device": "a\nb",
    }


def test_a_json_line_cannot_be_made_to_say_another_level() -> None:
    assert entry(level="CRITICAL", logger="root")["level"] == "INFO"


def test_a_json_line_holds_its_traceback() -> None:
    error = ZeroDivisionError()
    record = logging.LogRecord("tests", logging.ERROR, "file.py", 1, "failed", (), (type(error), error, None))

    assert JsonFormatter().format(record).count("\n") == 0
    assert json.loads(JsonFormatter().format(record))["traceback"] == "ZeroDivisionError"


@pytest.fixture
def written() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    logger, handler, stream = logging.getLogger("tests.apart"), BufferedHandler(), io.StringIO()
    handler.setStream(stream)
    handler.setFormatter(LineFormatter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield logger, stream
    logger.removeHandler(handler)
    handler.close()


def test_a_warning_is_written_at_once_with_all_before_it(written: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = written
    logger.info("first")
    logger.warning("second")

    assert [text.rpartition(" ")[2] for text in stream.getvalue().splitlines()] == ["first", "second"]


def test_news_are_written_soon(written: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = written
    logger.info("first")

    eventually(lambda: stream.getvalue().endswith("first\n"))


def test_nothing_is_lost_at_the_end(written: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = written
    for number in range(LINES + 10):
        logger.info("line %d", number)
    logger.handlers[0].flush()

    assert stream.getvalue().count("\n") == LINES + 10


def test_django_does_not_log_where_a_request_failed() -> None:
    path = "/enroll/sign-in/secret-state"
    record = logging.LogRecord("django.request", logging.ERROR, "f", 1, "%s: %s", ("Server Error", path), None)
    record.request = "<WSGIRequest: GET '/enroll/sign-in/secret-state'>"
    assert AddressFilter().filter(record)

    assert LineFormatter().format(record).endswith("django.request: Server Error: enroll")


class Full(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_that_cannot_be_written_stops_nobody(written: tuple[logging.Logger, io.StringIO]) -> None:
    """A full disk, or a reader that is gone: the lines are lost, and the work goes on."""
    logger, handler = written[0], written[0].handlers[0]
    assert isinstance(handler, BufferedHandler)
    handler.setStream(Full())
    logger.info("first")
    logger.warning("second")
    handler.setStream(written[1])
    logger.warning("third")

    assert written[1].getvalue().endswith(" third\n")
