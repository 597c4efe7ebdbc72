"""Numbered system checks: what is wrong with an installation, said before it starts.

What a single variable can say of itself `epmm/env.py` has refused already; here is what takes a look at the machine.
"""

import os
import ssl
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from epmm import bootstrap, env
from epmm.fields import FieldKeys

INSTALLATION: Final = "installation"  # what Django calls a tag
Check = Callable[[], list[CheckMessage]]


def data_directory_is_ours() -> list[CheckMessage]:
    directory: Path = settings.DATA_DIR
    if not directory.is_dir() or not os.access(directory, os.W_OK | os.X_OK):
        return [Error(f"the data directory {directory} cannot be written", hint="set EPMM_DATA_DIR", id="epmm.E001")]
    if directory.stat().st_mode & stat.S_IROTH:
        return [checks.Warning(f"anyone may read {directory}", hint=f"chmod 700 {directory}", id="epmm.W002")]
    return []


def is_pair(certificate: Path | None, key: Path | None) -> bool:
    """True for a certificate and its key, in PEM, that can be used without asking anyone for a password."""
    if certificate is None or key is None:
        return False
    try:
        # a callback: without one, OpenSSL asks for the password of a locked key on the terminal
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        return False
    return True


def signing_pair_can_be_used() -> list[CheckMessage]:
    pair = settings.SIGNING_CERTIFICATE, settings.SIGNING_KEY
    if pair == (None, None) or is_pair(*pair):
        return []
    text = "EPMM_SIGNING_CERTIFICATE and EPMM_SIGNING_KEY are not a readable pair"
    return [Error(text, hint="two PEM files, the key without a password", id="epmm.E003")]


def field_keys_can_be_read() -> list[CheckMessage]:
    try:
        FieldKeys.parse(settings.FIELD_KEYS)
    except ImproperlyConfigured as error:
        return [Error(str(error), id="epmm.E004")]
    return []


def production_has_its_own_secrets() -> list[CheckMessage]:
    """Machines that share a database share its secrets; those in a data directory belong to one machine alone."""
    if bootstrap.is_embedded():
        return []
    return [
        Error(f"{name} is not set: with EPMM_DATABASE_URL, set it or {name}_FILE", id="epmm.E005")
        for name in ("EPMM_SECRET_KEY", "EPMM_FIELD_KEYS")
        if not env.given(name)
    ]


def extra_device_authorities_can_be_read() -> list[CheckMessage]:
    source: Path | None = settings.EXTRA_DEVICE_CA
    if source is None:
        return []
    try:
        ssl.create_default_context(cafile=source)
    except OSError:  # also ssl.SSLError: no certificate in it
        return [Error("EPMM_EXTRA_DEVICE_CA is not a readable file of PEM certificates", id="epmm.E006")]
    return []


CHECKS: Final[Sequence[Check]] = (
    data_directory_is_ours,
    signing_pair_can_be_used,
    field_keys_can_be_read,
    production_has_its_own_secrets,
    extra_device_authorities_can_be_read,
)


def installation(**_: Any) -> list[CheckMessage]:
    return [message for check in CHECKS for message in check()]
