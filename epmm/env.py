"""Typed readers of the process environment.  Each fails at start, naming the variable.

A secret may also be given as a file: `EPMM_SECRET_KEY` or `EPMM_SECRET_KEY_FILE`.
"""

import os
import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from epmm import bootstrap

# RFC 1123, section 2.1; an international name in its xn-- form
HOST_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def text(name: str, *, default: str | None = None) -> str:
    value = os.environ.get(name, "").strip() or default
    if value is None:
        raise ImproperlyConfigured(f"{name} is not set")
    return value


def flag(name: str, *, default: bool) -> bool:
    value = text(name, default="on" if default else "off").lower()
    if value not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name} must be on or off")
    return value in TRUE


def integer(name: str, *, default: int, minimum: int = 0) -> int:
    value = text(name, default=str(default))
    if not value.isdecimal() or int(value) < minimum:
        raise ImproperlyConfigured(f"{name} must be a whole number from {minimum}")
    return int(value)


def choice(name: str, *, default: str, values: tuple[str, ...]) -> str:
    value = text(name, default=default).lower()
    if value not in values:
        raise ImproperlyConfigured(f"{name} must be {' or '.join(values)}")
    return value


def path(name: str, *, default: Path | None = None) -> Path | None:
    value = os.environ.get(name, "").strip()
    return Path(value).resolve() if value else default


def address(name: str, *, default: str) -> tuple[str, int]:
    """HOST or HOST:PORT; the port is 443 when it is left out."""
    value = text(name, default=default).strip()
    try:
        parts = urlsplit(f"//{value}")
        host, port = parts.hostname or "", parts.port or 443
    except ValueError:
        host, port = "", 0
    if not _is_host(host) or parts.path or parts.username is not None:
        raise ImproperlyConfigured(f"{name} must look like api.push.apple.com or 127.0.0.1:2197")
    return host, port


def items(name: str) -> list[str]:
    """A comma-separated list; empty when unset."""
    return [item.strip() for item in os.environ.get(name, "").split(",") if item.strip()]


def networks(name: str, *, default: list[str], words: tuple[str, ...] = ()) -> list[str]:
    """Addresses, networks, and the words that stand beside them."""
    value = items(name) or default
    for item in value:
        try:
            if item not in words:
                ip_network(item, strict=False)
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}: {item} is no address or network") from error
    return value


def https_url(name: str, *, default: str) -> str:
    """An absolute https URL with nothing but host and port; the host is a name that a certificate can carry."""
    value = text(name, default=default).rstrip("/").lower()
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    authority = f"[{host}]" if ":" in host else host
    if not _is_host(host) or port == 0 or value not in {f"https://{authority}", f"https://{authority}:{port}"}:
        raise ImproperlyConfigured(f"{name} must look like https://mdm.example.com or https://mdm.example.com:8443")
    return value


def _is_host(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return HOST_NAME.fullmatch(text) is not None
    return True


def secret(name: str, *, fallback: Path | None = None) -> str:
    """From the variable, the file that `<name>_FILE` names, or the file that `manage.py up` made."""
    if value := os.environ.get(name, "").strip():
        return value
    source = path(f"{name}_FILE", default=fallback)
    if source is not None and source.is_file() and (value := source.read_text().strip()):
        return value
    raise ImproperlyConfigured(f"{name} is not set: {_where_from(name, made=fallback is not None)}")


def _where_from(name: str, *, made: bool) -> str:
    """Only a machine that is an installation by itself may be told to make secrets."""
    if not bootstrap.is_embedded() or not made:
        return f"set it or {name}_FILE"
    if bootstrap.PRODUCTION.exists():
        return (
            f"the processes of this machine have it from {bootstrap.PRODUCTION}; so has `epmm COMMAND`, called by root"
        )
    return f"set it or {name}_FILE, or start `manage.py up` once, which makes it"


def given(name: str) -> bool:
    return bool(os.environ.get(name, "").strip() or os.environ.get(f"{name}_FILE", "").strip())
