"""What must exist before Django can read its settings: the data directory and its secrets.

Standard library only, so that `manage.py` can call it first.
"""

import os
import secrets
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Final

CHECKOUT = Path(__file__).resolve().parent.parent
PRODUCTION = Path("/etc/epmm")  # where `deploy/` has environment and secrets of a machine whose processes run apart
STAND_IN: Final = secrets.token_urlsafe(48)  # for one process; no field key has this form, so nothing is encrypted


def take_option(argv: list[str], option: str, variable: str) -> list[str]:
    """Move an option that the settings depend on into the environment; return the other arguments."""
    rest: list[str] = []
    arguments = iter(argv)
    for argument in arguments:
        if argument.startswith(f"{option}="):
            os.environ[variable] = argument.removeprefix(f"{option}=")
        elif argument == option and (value := next(arguments, None)) is not None:
            os.environ[variable] = value
        else:
            rest.append(argument)
    return rest


def data_dir() -> Path:
    return Path(os.environ.get("EPMM_DATA_DIR", "").strip() or CHECKOUT / "var").resolve()


def is_embedded() -> bool:
    """True on one machine with its own SQLite: only there may a start make secrets.

    Machines that share a database must share its secrets too, so there they are given, never made.
    """
    return not any(os.environ.get(name, "").strip() for name in ("EPMM_DATABASE_URL", "EPMM_DATABASE_URL_FILE"))


def provide_secrets(command: list[str], directory: Path) -> None:
    match command:
        case ["up"]:
            make_secrets(directory)
        case ["restore"] if not PRODUCTION.exists():
            stand_in_for_secrets(directory)


def make_secrets(directory: Path) -> None:
    """Make the secrets of an embedded installation, once, readable by the owner alone."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = directory / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    _write_once(folder / "secret_key", secrets.token_urlsafe(48))
    _write_once(folder / "field_keys", f"k1:{urlsafe_b64encode(secrets.token_bytes(32)).decode()}")


def stand_in_for_secrets(directory: Path) -> None:
    """`restore` needs none, and starts where they may be in the backup alone."""
    for name in ("secret_key", "field_keys"):
        variable = f"EPMM_{name.upper()}"
        is_given = os.environ.get(variable, "").strip() or os.environ.get(f"{variable}_FILE", "").strip()
        if not is_given and not (directory / "secrets" / name).exists():
            os.environ[variable] = STAND_IN


def lacks_secrets() -> bool:
    return STAND_IN in os.environ.values()


def _write_once(path: Path, value: str) -> None:
    """Complete or absent, also across a crash: a half-written key would lock every stored secret."""
    if path.exists():
        return
    draft = path.with_suffix(f".{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(value)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
