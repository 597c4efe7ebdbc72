"""Mail: a message is a row, written in the transaction that makes it necessary; `epmm/mail_outbox.py` sends it.

It is sent at least once.  Its Message-ID stays the same, so that whoever gets it twice can tell.
"""

import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils import timezone
from django.utils.translation import gettext as _

from epmm import mail_options, options, settings_store
from epmm.models import Mail

SMTP: Final = SMTP_POLICY.clone(cte_type="7bit")  # old servers take nothing else
LONGEST_SUBJECT: Final = 200
LONGEST_NAME: Final = 100
_is_address: Final = EmailValidator()


class MailRefused(Exception):
    """This cannot be sent; the argument is a sentence for the administrator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Shown in the HTML part, as `<img src="cid:NAME">`."""

    name: str
    kind: str  # the subtype of image/
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    recipient: str
    subject: str
    text: str = field(repr=False)
    html: str = field(default="", repr=False)
    recipient_name: str = ""
    pictures: Sequence[Picture] = ()
    language: str = ""


def is_set_up() -> bool:
    """Whether there is a server to hand mail to, and a sender."""
    return bool(settings_store.read(mail_options.HOST) and settings_store.read(mail_options.FROM))


def post(letter: Letter, *, kind: str) -> Mail:
    """Queue it.  Raises MailRefused; then nothing is queued."""
    message = compose(letter)
    return Mail.objects.create(
        message_id=message["Message-ID"], kind=kind, recipient=letter.recipient, content=message.as_bytes(policy=SMTP)
    )


def stop(mail: Mail) -> bool:
    """Unless it has gone already, or is about to: a worker that has it in its hands sends it."""
    return stop_all([mail.pk]) == 1


def stop_all(keys: Sequence[int]) -> int:
    """How many of them were."""
    stopped = {"state": Mail.State.STOPPED, "content": None, "done_at": timezone.now()}
    return Mail.objects.waiting().filter(pk__in=keys).update(**stopped)


def compose(letter: Letter) -> EmailMessage:
    if not is_set_up():
        raise MailRefused(_("No mail server is set up. Enter one under Settings > Outgoing mail."))
    message = EmailMessage(policy=SMTP)
    message["Message-ID"] = f"<{secrets.token_hex(16)}@{ascii_host(settings.PUBLIC_HOST)}>"
    message["Date"] = format_datetime(timezone.now())
    message["From"] = address(settings_store.read(mail_options.FROM), settings_store.read(options.ENTERPRISE_NAME))
    message["To"] = address(letter.recipient, letter.recipient_name)
    if reply_to := settings_store.read(mail_options.REPLY_TO):
        message["Reply-To"] = address(reply_to)
    message["Subject"] = subject(letter.subject)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834, section 5: no robot answers it
    message.set_content(letter.text)
    if letter.html:
        message.add_alternative(letter.html, subtype="html")
        for picture in letter.pictures:
            _attach(message, picture)
    if letter.language:
        message["Content-Language"] = letter.language
    return message


def _attach(message: EmailMessage, picture: Picture) -> None:
    """Beside the HTML part that shows it (multipart/related)."""
    _text, html = message.iter_parts()
    if isinstance(html, EmailMessage):
        html.add_related(
            picture.content,
            maintype="image",
            subtype=picture.kind,
            cid=f"<{picture.name}>",
            filename=f"{picture.name}.{picture.kind.partition('+')[0]}",
            disposition="inline",
        )


def subject(text: str) -> str:
    """One line of text: what begins a new header is refused, not cleaned."""
    if not text.strip() or len(text) > LONGEST_SUBJECT:
        raise MailRefused(_("A subject has 1 to {n} characters.").format(n=LONGEST_SUBJECT))
    if not _is_one_line(text):
        raise MailRefused(_("A subject must not contain line breaks or control characters."))
    return text.strip()


def address(text: str, name: str = "") -> Address:
    """As it stands in a header.  Raises MailRefused for what is no address."""
    refusal = MailRefused(_("“{text}” is not an email address.").format(text=text))
    local, _at, domain = text.rpartition("@")
    try:
        _is_address(text)
        host = ascii_host(domain)
    except (ValidationError, UnicodeError) as error:
        raise refusal from error
    if not (_is_one_line(text) and local.isascii()):
        raise refusal
    return Address(display_name=name[:LONGEST_NAME] if _is_one_line(name) else "", addr_spec=f"{local}@{host}")


def ascii_host(host: str) -> str:
    return host.encode("idna").decode() if not host.isascii() else host


def _is_one_line(text: str) -> bool:
    return not any(unicodedata.category(each) in {"Cc", "Zl", "Zp", "Cs"} for each in text)
