"""The settings of outgoing mail."""

from typing import Final

from django.utils.translation import gettext_lazy

from epmm import option_texts
from epmm.settings_store import choice, number, parsed, secret

HOST: Final = parsed(
    "mail.host",
    default="",
    parse=option_texts.host,
    accepts=gettext_lazy("a host name or an address; empty means that no mail is sent"),
    help=gettext_lazy("The mail server (SMTP) that takes what this server sends."),
)
PORT: Final = number(
    "mail.port",
    default=587,
    low=1,
    high=65535,
    help=gettext_lazy("Usually 587 with STARTTLS, 465 with TLS from the start, 25 between servers."),
)
SECURITY: Final = choice(
    "mail.security",
    default="starttls",
    values=("starttls", "tls", "none"),
    help=gettext_lazy("With either, the server's certificate has to be valid for its name; nothing is sent otherwise."),
)
USER: Final = parsed(
    "mail.user",
    default="",
    parse=lambda text: text[:320],
    accepts=gettext_lazy("a name; empty means that the server asks for none"),
    help=gettext_lazy("Whom this server signs in to the mail server as."),
)
PASSWORD: Final = secret("mail.password", help=gettext_lazy("The password of that user."))
FROM: Final = parsed(
    "mail.from",
    default="",
    parse=option_texts.email,
    accepts=gettext_lazy("an email address, or nothing"),
    help=gettext_lazy("The sender. What cannot be delivered comes back to it."),
)
REPLY_TO: Final = parsed(
    "mail.reply_to",
    default="",
    parse=option_texts.email,
    accepts=gettext_lazy("an email address, or nothing"),
    help=gettext_lazy("Where answers of people go, if not to the sender."),
)
AUTHORITIES: Final = parsed(
    "mail.authorities",
    default="",
    parse=option_texts.certificates,
    accepts=gettext_lazy("certificates in PEM, or nothing"),
    help=gettext_lazy("Authorities that are trusted for the mail server besides those of the operating system."),
)
