from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from epmm import bootstrap, env

NAME = "EPMM_TRIED"


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    monkeypatch.delenv(f"{NAME}_FILE", raising=False)


def test_text_is_stripped_and_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.text(NAME, default="x") == "x"

    monkeypatch.setenv(NAME, " y ")
    assert env.text(NAME, default="x") == "y"


def test_text_without_a_value_names_the_variable() -> None:
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.text(NAME)


@pytest.mark.parametrize(
    ("value", "read"), [("on", True), ("TRUE", True), ("1", True), ("off", False), ("no", False), ("0", False)]
)
def test_flag(monkeypatch: pytest.MonkeyPatch, value: str, *, read: bool) -> None:
    assert env.flag(NAME, default=not read) is not read

    monkeypatch.setenv(NAME, value)
    assert env.flag(NAME, default=not read) is read


def test_integer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.integer(NAME, default=7) == 7

    monkeypatch.setenv(NAME, "12")
    assert env.integer(NAME, default=7, minimum=12) == 12


@pytest.mark.parametrize("value", ["-1", "1.5", "0x10", "many", "4"])
def test_integer_refuses(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(NAME, value)

    with pytest.raises(ImproperlyConfigured, match=f"{NAME} must be a whole number from 5"):
        env.integer(NAME, default=7, minimum=5)


def test_flag_refuses_what_is_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "maybe")

    with pytest.raises(ImproperlyConfigured, match=f"{NAME} must be on or off"):
        env.flag(NAME, default=True)


def test_path_is_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.path(NAME) is None

    monkeypatch.setenv(NAME, "some/file")
    assert env.path(NAME) == Path.cwd() / "some" / "file"


def test_items(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.items(NAME) == []

    monkeypatch.setenv(NAME, "10.0.0.1, 10.0.0.2,,")
    assert env.items(NAME) == ["10.0.0.1", "10.0.0.2"]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("https://mdm.example.com", "https://mdm.example.com"),
        ("https://mdm.example.com/", "https://mdm.example.com"),
        ("https://mdm.example.com:8443", "https://mdm.example.com:8443"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("https://192.0.2.1", "https://192.0.2.1"),
        ("https://MDM.Example.com:443", "https://mdm.example.com:443"),
    ],
)
def test_https_url(monkeypatch: pytest.MonkeyPatch, value: str, read: str) -> None:
    monkeypatch.setenv(NAME, value)

    assert env.https_url(NAME, default="https://localhost") == read


@pytest.mark.parametrize(
    "value",
    [
        "http://mdm.example.com",
        "mdm.example.com",
        "https://",
        "https://mdm.example.com:0",
        "https://mdm.example.com:99999",
        "https://mdm.example.com:port",
        "https://mdm.example.com/epmm",
        "https://mdm.example.com?x=1",
        "https://mdm.example.com#x",
        "https://person@mdm.example.com",
        "https://[2001:db8::1",
        "https://mdm.example.com\\@other.example",
        "https://mdm example.com",
        "https://mdm_1.example.com",
        "https://-mdm.example.com",
        "https://mdm.example.com:08443",
        "https://münchen.example",
        "https://" + "a" * 64 + ".example.com",
    ],
)
def test_https_url_refuses(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(NAME, value)

    with pytest.raises(ImproperlyConfigured, match=f"{NAME} must look like https://mdm.example.com"):
        env.https_url(NAME, default="https://localhost")


def test_a_secret_is_given_or_lies_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made, named = tmp_path / "made", tmp_path / "named"
    made.write_text("from the data directory\n")
    named.write_text("from a named file\n")
    assert env.secret(NAME, fallback=made) == "from the data directory"
    assert not env.given(NAME)

    monkeypatch.setenv(f"{NAME}_FILE", str(named))
    assert env.secret(NAME, fallback=made) == "from a named file"
    assert env.given(NAME)

    monkeypatch.setenv(NAME, "from the variable")
    assert env.secret(NAME, fallback=made) == "from the variable"


@pytest.mark.parametrize(
    ("database", "laid_out", "said"),
    [
        ("", False, "start `manage.py up` once"),
        ("", True, "`epmm COMMAND`, called by root"),
        ("postgresql://db/epmm", False, f"set it or {NAME}_FILE$"),
    ],
)
def test_nobody_is_told_to_make_secrets_where_a_start_makes_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, database: str, laid_out: bool, said: str
) -> None:
    monkeypatch.setenv("EPMM_DATABASE_URL", database)
    monkeypatch.delenv("EPMM_DATABASE_URL_FILE", raising=False)
    monkeypatch.setattr(bootstrap, "PRODUCTION", tmp_path if laid_out else tmp_path / "etc")

    with pytest.raises(ImproperlyConfigured, match=f"{NAME} is not set: .*{said}"):
        env.secret(NAME, fallback=tmp_path / "made")


@pytest.mark.parametrize("content", [None, " \n"], ids=["no file", "an empty file"])
def test_a_secret_has_no_value_of_its_own(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "made").write_text(content)

    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.secret(NAME, fallback=tmp_path / "made")
