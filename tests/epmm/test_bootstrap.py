import os
import stat
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from epmm import bootstrap
from epmm.fields import FieldKeys


@pytest.mark.parametrize(
    ("arguments", "rest", "value"),
    [
        (["up", "--data", "/x", "--port", "1"], ["up", "--port", "1"], "/x"),
        (["up", "--data=/x"], ["up"], "/x"),
        (["--data", "/x", "up"], ["up"], "/x"),
        (["up", "--database", "y"], ["up", "--database", "y"], None),
        (["up", "--data"], ["up", "--data"], None),
    ],
)
def test_an_option_moves_into_the_environment(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], rest: list[str], value: str | None
) -> None:
    monkeypatch.setenv("EPMM_DATA_DIR", "before")

    assert bootstrap.take_option(arguments, "--data", "EPMM_DATA_DIR") == rest
    assert os.environ["EPMM_DATA_DIR"] == (value or "before")


def test_the_data_directory_is_beside_the_code_unless_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EPMM_DATA_DIR", " ")
    assert bootstrap.data_dir() == bootstrap.CHECKOUT / "var"

    monkeypatch.setenv("EPMM_DATA_DIR", str(tmp_path / "a" / ".." / "b"))
    assert bootstrap.data_dir() == tmp_path / "b"


def test_secrets_are_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "data"
    bootstrap.make_secrets(directory)
    made = {path: path.read_text() for path in (directory / "secrets").iterdir()}

    assert sorted(path.name for path in made) == ["field_keys", "secret_key"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (directory, directory / "secrets")} == {0o700}
    key_id, _, key = (directory / "secrets" / "field_keys").read_text().partition(":")
    assert (key_id, len(urlsafe_b64decode(key))) == ("k1", 32)

    bootstrap.make_secrets(directory)
    assert {path: path.read_text() for path in made} == made


def test_only_what_is_missing_has_a_stand_in_which_encrypts_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("EPMM_SECRET_KEY", "EPMM_SECRET_KEY_FILE", "EPMM_FIELD_KEYS_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EPMM_FIELD_KEYS", "")
    monkeypatch.setattr(bootstrap, "PRODUCTION", tmp_path / "etc")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "secret_key").write_text("there")

    bootstrap.provide_secrets(["restore"], tmp_path)

    assert bootstrap.lacks_secrets()
    assert "EPMM_SECRET_KEY" not in os.environ
    with pytest.raises(ImproperlyConfigured):
        FieldKeys.parse(os.environ["EPMM_FIELD_KEYS"])


def test_a_machine_whose_secrets_are_systemds_gets_no_stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bootstrap, "PRODUCTION", tmp_path)
    monkeypatch.setenv("EPMM_SECRET_KEY", "")

    bootstrap.provide_secrets(["restore"], tmp_path)

    assert not bootstrap.lacks_secrets()


@pytest.mark.parametrize("variable", ["EPMM_DATABASE_URL", "EPMM_DATABASE_URL_FILE"])
def test_with_a_database_of_its_own_an_installation_is_not_embedded(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("EPMM_DATABASE_URL", raising=False)
    assert bootstrap.is_embedded()

    monkeypatch.setenv(variable, "set")
    assert not bootstrap.is_embedded()
