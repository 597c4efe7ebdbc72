import logging

import pytest

from epmm.logging import NEVER_LOGGED, LineFormatter


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
