"""Which server, and with which token: options, then the environment, then a file with a section for each server.

The file is readable by its owner alone, or it is not read.  Its token goes to the server beside it and to no other.
"""

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from epmm_client.connection import Server
from epmm_client.errors import NotConfigured

USUAL: Final = "default"
ADDRESS, TOKEN, CA_FILE, PROFILE, FILE = "EPMM_SERVER", "EPMM_TOKEN", "EPMM_CA_FILE", "EPMM_PROFILE", "EPMM_CONFIG"
OTHERS: Final = 0o077


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Options of the command line; empty: not given."""

    profile: str = ""
    server: str = ""
    ca_file: str = ""


def place(environment: Mapping[str, str]) -> Path:
    if given := environment.get(FILE):
        return Path(given)
    base = environment.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "epmm" / "config.ini"


def server(asked: Asked, environment: Mapping[str, str]) -> Server:
    """Raises NotConfigured."""
    name = asked.profile or environment.get(PROFILE) or USUAL
    file = read(place(environment))
    if not file.has_section(name) and (asked.profile or environment.get(PROFILE)):
        raise NotConfigured(f"{place(environment)} has no profile {name}.")
    kept = dict(file[name]) if file.has_section(name) else {}
    address = asked.server or environment.get(ADDRESS) or kept.get("server", "")
    if not address:
        raise NotConfigured(f"Which server? Say --server, set {ADDRESS}, or sign in with `epmm login`.")
    is_of_file = _same(address, kept.get("server", ""))
    return Server(
        address=address,
        token=environment.get(TOKEN) or (kept.get("token", "") if is_of_file else ""),
        ca_file=asked.ca_file or environment.get(CA_FILE) or (kept.get("ca_file", "") if is_of_file else ""),
    )


def read(path: Path) -> configparser.ConfigParser:
    """Nothing where there is no file.  Raises NotConfigured."""
    found = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        with path.open(encoding="utf-8") as file:
            state = os.fstat(file.fileno())
            if os.name == "posix" and (state.st_mode & OTHERS or state.st_uid != os.geteuid()):
                raise NotConfigured(f"{path} is open to others: chmod 600 {path}")
            found.read_file(file)
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise NotConfigured(f"{path} cannot be read: {type(error).__name__}.") from error
    return found


def keep(path: Path, name: str, kept: Server) -> None:
    """Raises NotConfigured."""
    file = read(path)
    values = {"server": kept.address, "token": kept.token, "ca_file": kept.ca_file}
    file[name] = {key: value for key, value in values.items() if value}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as new:  # noqa: PTH123 - its mode from the start
        file.write(new)
    written.replace(path)


def _same(one: str, other: str) -> bool:
    return one.rstrip("/").lower() == other.rstrip("/").lower()
