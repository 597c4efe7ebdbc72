"""Talking to an LDAP server: TLS, limits of time, failover and what its errors mean are here alone."""

import logging
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from users.errors import DirectoryDown, DirectoryError, DirectoryRefused, NoLdap
from users.models import Directory

try:
    import django_auth_ldap  # noqa: F401 - see backend.py; both or none
    import ldap
    import ldap.dn
    from ldap.controls.libldap import SimplePagedResultsControl
except ImportError:  # python-ldap has no wheel: it is there where it could be built
    ldap = None

T = TypeVar("T")
logger = logging.getLogger(__name__)
PAGE: Final = 500
AVOIDED_SECONDS: Final = 60.0  # a server that was away is asked after the other one for so long
RESTING_SECONDS: Final = 5.0  # when all were away, nobody waits for them anew
SCOPES: Final = {"base": 0, "one": 1, "sub": 2}  # RFC 4511, 4.5.1.2
LDAP: Final = 389
LDAPS: Final = 636
# RFC 4511, 4.14.1: message 1, an extended request of this name; and the result code of an answer to it
START_TLS: Final = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
SUCCESS: Final = b"\x0a\x01\x00"
# X509_V_ERR_... of OpenSSL's x509_vfy.h
OTHER_AUTHORITY: Final = {2, 18, 19, 20, 21}
OTHER_NAME: Final = {62, 64}
GUID: Final = "objectguid"
GUID_BYTES: Final = 16
LONGEST_TEXT: Final = 1024
_failed_at: Final[dict[str, float]] = {}


def is_installed() -> bool:
    return ldap is not None


def enabled() -> QuerySet[Directory]:
    """Those that are asked."""
    return Directory.objects.filter(is_enabled=True).exclude(url="").order_by("pk")


@dataclass(frozen=True, slots=True)
class Entry:
    dn: str
    values: Mapping[str, Sequence[bytes]]  # names in lower case

    def texts(self, name: str) -> list[str]:
        found = self.values.get(name.lower(), ())
        return [
            text
            for text in (value.decode(errors="replace").replace("\0", "")[:LONGEST_TEXT] for value in found)
            if text
        ]

    def text(self, name: str) -> str:
        return next(iter(self.texts(name)), "") if name else ""

    def external_id(self, attribute: str) -> str:
        """As it is kept; empty where the entry has none."""
        if attribute.lower() != GUID:
            return self.text(attribute)[:255]
        raw = next(iter(self.values.get(GUID, ())), b"")
        return str(UUID(bytes_le=bytes(raw))) if len(raw) == GUID_BYTES else ""


def id_value(attribute: str, external_id: str) -> str | bytes:
    """The other way round, for a filter."""
    if attribute.lower() != GUID:
        return external_id
    try:
        return UUID(external_id).bytes_le
    except ValueError:
        return external_id


class Connection:
    """As the account that an administrator entered."""

    def __init__(self, handle: Any, directory: Directory, url: str) -> None:
        self.handle, self.directory, self.url = handle, directory, url

    def pages(
        self, base: str, scope: str, filter_text: str, attributes: Sequence[str], size: int = PAGE
    ) -> Iterator[list[Entry]]:
        """All that match, some at a time.  Raises DirectoryError where the server gives no more than a part of them."""
        return pages(self.handle, base, SCOPES[scope], filter_text, attributes, size)

    def some(self, base: str, scope: str, filter_text: str, attributes: Sequence[str], most: int) -> list[Entry]:
        """The first that come."""
        pages = self.pages(base, scope, filter_text, attributes, size=most)
        return next(pages, [])[:most]

    def read(self, dn: str, attributes: Sequence[str], filter_text: str = "(objectClass=*)") -> Entry | None:
        try:
            return next(iter(self.some(dn, "base", filter_text, attributes, 1)), None)
        except DirectoryRefused as error:
            if isinstance(error.__cause__, ldap.NO_SUCH_OBJECT | ldap.INVALID_DN_SYNTAX):
                return None
            raise

    def close(self) -> None:
        close(self.handle)


def pages(
    handle: Any, base: str, scope: int, filter_text: str, attributes: Sequence[str], size: int = PAGE
) -> Iterator[list[Entry]]:
    control = SimplePagedResultsControl(True, size=size, cookie="")
    seconds = int(handle.get_option(ldap.OPT_TIMEOUT))
    while True:
        with _told():
            number = handle.search_ext(
                base, scope, filter_text, [*attributes] or ["1.1"], serverctrls=[control], timeout=seconds
            )
            _kind, found, _number, answered = handle.result3(number, timeout=seconds)
        yield [_entry(dn, values) for dn, values in found if dn is not None]  # the others are referrals
        cookies = [each.cookie for each in answered if each.controlType == control.controlType]
        if not cookies or not cookies[0]:
            return
        control.cookie = cookies[0]


def same_dn(dn: str) -> str:
    """One spelling for all that mean the same entry."""
    try:
        parts = ldap.dn.str2dn(dn)
    except ldap.LDAPError:
        return dn.strip().casefold()
    spelled = ("+".join(sorted(f"{name}={value}" for name, value, _flags in each)) for each in parts)
    return ",".join(spelled).casefold()


@contextmanager
def connected(directory: Directory) -> Iterator[Connection]:
    """The first of its servers that answers.  Raises DirectoryError."""
    connection = first_answer(directory, lambda url: Connection(open_server(directory, url), directory, url))
    try:
        yield connection
    finally:
        connection.close()


def close(handle: Any) -> None:
    with suppress(ldap.LDAPError):
        handle.unbind_s()


def servers(directory: Directory) -> list[str]:
    """In the order in which they are asked: one that was away comes last."""
    urls = [url for url in (directory.url, directory.failover_url) if url]
    return sorted(urls, key=_was_away)


def forget_failures() -> None:
    _failed_at.clear()


def _was_away(url: str, seconds: float = AVOIDED_SECONDS) -> bool:
    return time.monotonic() - _failed_at.get(url, float("-inf")) < seconds


def first_answer(directory: Directory, ask: Callable[[str], T]) -> T:
    """Of the first of its servers that is not away.  Raises DirectoryError."""
    if ldap is None:
        raise NoLdap
    urls = servers(directory)
    if not urls:
        raise DirectoryRefused(_("This directory has no address."))
    if all(_was_away(url, RESTING_SECONDS) for url in urls):
        raise DirectoryDown(_("{name} did not answer a moment ago.").format(name=directory.name))
    problems = []
    for url in urls:
        if url in _failed_at and url != urls[-1]:  # its minute is over: one waits for it anew, others ask the next
            _failed_at[url] = time.monotonic()
        try:
            answer = ask(url)
        except DirectoryDown as error:
            _failed_at[url] = time.monotonic()
            logger.warning("a directory server did not answer", extra={"directory": directory.pk, "url": url})
            problems.append(f"{url}: {error}")
        else:
            _failed_at.pop(url, None)
            return answer
    raise DirectoryDown(" ".join(problems))


def open_server(directory: Directory, url: str) -> Any:
    """One of its servers, and signed in there.  Raises DirectoryError."""
    name, password = account(directory, url)
    knock(directory, url)
    try:
        with _told(), options(directory) as chosen:
            handle = ldap.initialize(url)
            for option, value in chosen.items():
                handle.set_option(option, value)
            if starts_tls(directory, url):
                handle.start_tls_s()
            handle.simple_bind_s(name, password)
    except DirectoryDown as error:
        raise DirectoryDown(_doubt(directory, url) or str(error)) from error
    _failed_at.pop(url, None)
    return handle


def account(directory: Directory, url: str) -> tuple[str, str]:
    """With what it is asked; nothing is sent where that would be unprotected.  Raises DirectoryRefused."""
    scheme = urlsplit(url).scheme
    if scheme not in {"ldap", "ldaps"}:
        raise DirectoryRefused(_("An address begins with ldaps:// or ldap://."))
    if scheme == "ldap" and not directory.starts_tls and not directory.allows_plain:
        raise DirectoryRefused(_("Plain LDAP is not allowed here: passwords would travel unprotected."))
    password = bytes(directory.bind_password or b"").decode()
    if not directory.bind_name or not password:
        raise DirectoryRefused(_("Enter the user ID and the password that the directory is asked with."))
    return directory.bind_name, password


def knock(directory: Directory, url: str) -> None:
    """Is there anybody?  Raises DirectoryDown.

    libldap waits for ever, and at full speed, for a server that takes the connection and then never begins TLS; and
    for the search's time where it does not answer StartTLS.  Nothing is believed here: the certificate is libldap's to
    look at.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        _shake_hands(directory, url, context)
    except TimeoutError as error:
        raise DirectoryDown(_("It does not answer.")) from error
    except (OSError, ValueError):
        return  # what is the matter libldap says


def _doubt(directory: Directory, url: str) -> str:
    """Why its certificate is not believed, of which libldap says nothing where it is built with GnuTLS; or empty."""
    try:
        _shake_hands(directory, url, ssl.create_default_context(cadata=directory.certificates.strip() or None))
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in OTHER_NAME:
            return _("Its certificate is for another name than the one in this address.")
        if error.verify_code in OTHER_AUTHORITY:
            return _("Its certificate is from no authority that is trusted for this directory.")
        return _("Its certificate is not accepted: {why}").format(why=error.verify_message)
    except (OSError, ValueError):
        return ""
    return ""


def _shake_hands(directory: Directory, url: str, context: ssl.SSLContext) -> None:
    parts, is_first_plain = urlsplit(url), starts_tls(directory, url)
    if parts.scheme != "ldaps" and not is_first_plain:
        return
    port = parts.port or (LDAP if is_first_plain else LDAPS)
    with socket.create_connection((parts.hostname, port), directory.connect_seconds) as plain:
        if not is_first_plain or _agrees_to_tls(plain):
            context.wrap_socket(plain, server_hostname=parts.hostname).close()


def _agrees_to_tls(plain: socket.socket) -> bool:
    plain.sendall(START_TLS)
    return SUCCESS in plain.recv(4096)


def starts_tls(directory: Directory, url: str) -> bool:
    return directory.starts_tls and urlsplit(url).scheme == "ldap"


@contextmanager
def options(directory: Directory) -> Iterator[dict[int, Any]]:
    """To be set in this order, while the file with the certificates is there: it is read when the context is made."""
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(directory.certificates.encode())
        file.flush()
        trusted = file.name if directory.certificates.strip() else _of_this_machine()
        yield {
            ldap.OPT_PROTOCOL_VERSION: ldap.VERSION3,
            ldap.OPT_REFERRALS: int(directory.chases_referrals),
            ldap.OPT_NETWORK_TIMEOUT: float(directory.connect_seconds),
            ldap.OPT_TIMEOUT: float(directory.search_seconds),  # of each answer that is waited for
            ldap.OPT_X_TLS_REQUIRE_CERT: ldap.OPT_X_TLS_DEMAND,
            ldap.OPT_X_TLS_PROTOCOL_MIN: 0x303,  # TLS 1.2
            **({ldap.OPT_X_TLS_CACERTFILE: trusted} if trusted else {}),
            ldap.OPT_X_TLS_NEWCTX: 0,
        }


def _of_this_machine() -> str | None:
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.openssl_cafile


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except ldap.LDAPError as error:
        raise as_ours(error) from error


def as_ours(error: Exception) -> DirectoryError:
    """The library's error as one of ours.  What it says is from the server or from TLS, and holds no password."""
    if isinstance(error, ldap.INVALID_CREDENTIALS):  # a person's own are told otherwise
        return DirectoryRefused(_("The directory refused the user ID or the password that it is asked with."))
    away = (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.TIMEOUT, ldap.UNAVAILABLE, ldap.BUSY)
    return (DirectoryDown if isinstance(error, away) else DirectoryRefused)(_saying(error))


def _saying(error: Exception) -> str:
    details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    said = [str(details.get(name, "")).strip() for name in ("desc", "info")]
    return ": ".join(each for each in said if each)[:300] or type(error).__name__


def _entry(dn: str, values: Mapping[str, Sequence[bytes]]) -> Entry:
    return Entry(dn, {name.lower(): found for name, found in values.items()})
