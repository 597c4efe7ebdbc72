"""One connection to the mail server of the settings; each message gets a verdict."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from smtplib import (
    SMTP,
    SMTP_SSL,
    SMTPDataError,
    SMTPException,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)
from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _

from epmm import mail_options, settings_store
from epmm.mail import Letter, address, ascii_host, compose
from epmm.mail_models import LONGEST_ANSWER

TIMEOUT_SECONDS: Final = 20  # of silence
LONGEST_SECONDS: Final = 300.0  # for one message, to a server that says a letter now and then
PERMANENT: Final = 500
# What these say is wrong with our settings, not with this message: STARTTLS or a sign-in is wanted, or refused.
OF_THE_SETTINGS: Final = frozenset({530, 534, 535, 538})


class Outcome(Enum):
    SENT = "sent"
    REFUSED = "refused"  # for ever
    LATER = "later"  # this message
    AWAY = "away"  # the server: no other message needs to be tried


@dataclass(frozen=True, slots=True)
class Verdict:
    outcome: Outcome
    words: str = ""  # the server's own, on one line


class ServerAway(Exception):
    """Nothing can be handed over now; the argument says why."""


@contextmanager
def session() -> Iterator[SMTP]:
    """Connected, encrypted and signed in as the settings say.  Raises ServerAway."""
    try:
        server = _connected()
    except (OSError, SMTPException, ValueError) as error:
        raise ServerAway(words(error)) from error
    try:
        yield server
    finally:
        with suppress(OSError, SMTPException):
            server.quit()
        server.close()


def try_out(letter: Letter) -> Verdict:
    """Send it at once, while somebody waits for the answer.  Raises MailRefused."""
    content = compose(letter).as_bytes()
    try:
        with session() as server:
            return hand_over(server, letter.recipient, content)
    except ServerAway as away:
        return Verdict(Outcome.AWAY, str(away))


def hand_over(server: SMTP, recipient: str, content: bytes) -> Verdict:
    sender = address(settings_store.read(mail_options.FROM)).addr_spec
    try:
        with _in_time(server):
            server.sendmail(sender, [address(recipient).addr_spec], content)
    except SMTPRecipientsRefused as refused:
        ((code, said),) = refused.recipients.values()
        return _by_code(code, words(SMTPResponseException(code, said)))
    except (SMTPSenderRefused, SMTPDataError, SMTPResponseException) as refused:
        return _by_code(refused.smtp_code, words(refused))
    except SMTPNotSupportedError as error:  # SMTPUTF8, say
        return Verdict(Outcome.REFUSED, words(error))
    except (OSError, SMTPException) as error:  # also a server that hung up
        return Verdict(Outcome.AWAY, words(error))
    return Verdict(Outcome.SENT)


@contextmanager
def _in_time(server: SMTP) -> Iterator[None]:
    """Whatever is read or written when the time is over fails."""
    timer = threading.Timer(LONGEST_SECONDS, _hang_up, [server])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _hang_up(server: SMTP) -> None:
    if server.sock is not None:
        with suppress(OSError):
            server.sock.shutdown(socket.SHUT_RDWR)


def _connected() -> SMTP:
    host, port = settings_store.read(mail_options.HOST), settings_store.read(mail_options.PORT)
    security, name = settings_store.read(mail_options.SECURITY), ascii_host(settings.PUBLIC_HOST)
    if security == "tls":
        server: SMTP = SMTP_SSL(host, port, local_hostname=name, timeout=TIMEOUT_SECONDS, context=_trust())
    else:
        server = SMTP(host, port, local_hostname=name, timeout=TIMEOUT_SECONDS)
    try:
        server.ehlo_or_helo_if_needed()
        if security == "starttls":
            server.starttls(context=_trust())  # raises where the server does not offer it: never on in the clear
        if user := settings_store.read(mail_options.USER):
            server.login(user, settings_store.reveal(mail_options.PASSWORD))
    except BaseException:
        server.close()
        raise
    return server


def _trust() -> ssl.SSLContext:
    """The system's authorities, and those that the administrator entered; the name is checked."""
    context = ssl.create_default_context()
    if entered := settings_store.read(mail_options.AUTHORITIES):
        context.load_verify_locations(cadata=entered)
    return context


def _by_code(code: int, said: str) -> Verdict:
    if code in OF_THE_SETTINGS or code == 421:  # noqa: PLR2004 - RFC 5321, 4.2.3: it closes the channel
        return Verdict(Outcome.AWAY, said)
    return Verdict(Outcome.REFUSED if code >= PERMANENT else Outcome.LATER, said)


def words(error: Exception) -> str:
    """What a server said, as one line that fits its column; of other errors what they say themselves."""
    if isinstance(error, SMTPResponseException):
        said = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        text = f"{error.smtp_code} {said}"
    elif isinstance(error, TimeoutError):
        text = _("no answer within {n} seconds").format(n=TIMEOUT_SECONDS)
    else:
        text = str(error) or type(error).__name__
    printable = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(printable.split())[:LONGEST_ANSWER]
