"""What the texts of settings mean.  Each raises InvalidSetting, which says what would be accepted."""

import re
from typing import Final

from cryptography import x509
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from epmm.settings_store import InvalidSetting, whole_number
from epmm.texts import as_xml

HOST: Final = re.compile(r"[A-Za-z0-9.:\-\u00a1-\uffff]{1,253}")
DOMAIN: Final = re.compile(r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
FAMILIES: Final = ("iPhone", "iPad", "Mac", "RealityDevice")
PLATFORMS: Final = ("iOS", "macOS", "visionOS")
OFFERS: Final = tuple(f"{kind}/{family}" for kind in ("adde", "aaue") for family in FAMILIES)
RIGHTS: Final = tuple(str(1 << bit) for bit in range(13))  # Apple's AccessRights
REQUIRED_RIGHTS: Final = frozenset({"1", "2", "16"})
PROVISIONING_LOOK, PROVISIONING_CHANGE = "64", "128"
MINIMUM: Final = re.compile(rf"({'|'.join(PLATFORMS)})=[0-9]{{1,3}}(\.[0-9]{{1,3}}){{0,2}}")


def enterprise_name(text: str) -> str:
    """One line, for it stands in certificates and profiles; it may have been written before that was asked.

    Empty: the product's own, for declarations must name somebody.
    """
    return " ".join(as_xml(text).split())[:64].rstrip() or "EPMM"


def names(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    found = tuple(item.strip() for item in text.split(",") if item.strip())
    if not found or any(name not in known for name in found):
        raise InvalidSetting(", ".join(known))
    return found


def domains(text: str) -> tuple[str, ...]:
    """An empty list stands for the host of the public URL."""
    found = tuple(item.strip().lower() for item in text.split(",") if item.strip())
    if any(DOMAIN.fullmatch(domain) is None for domain in found):
        raise InvalidSetting(_("domains separated by commas, for example example.com,corp.example.com"))
    return found


def domain_offers(text: str) -> tuple[str, ...]:
    """`example.com=adde/iPhone`, one for each kind of enrollment and each kind of device that a domain offers it to."""
    found = tuple(item.strip() for item in text.split(",") if item.strip())
    pairs = [item.partition("=")[::2] for item in found]
    if any(HOST.fullmatch(domain) is None or offer not in OFFERS for domain, offer in pairs):
        raise InvalidSetting(_("offers separated by commas, for example example.com=adde/iPhone,example.com=aaue/Mac"))
    return tuple(f"{domain.lower()}={offer}" for domain, offer in pairs)


def limit(text: str) -> int | None:
    if text.lower() == "none":
        return None
    if whole_number(text) not in range(1, 51):
        raise InvalidSetting(_("none, or 1 to 50"))
    return int(text)


def days(text: str, *, low: int, accepts: str) -> int | None:
    if text.lower() == "none":
        return None
    if whole_number(text) not in range(low, 3651):
        raise InvalidSetting(accepts)
    return int(text)


def rights(text: str) -> tuple[str, ...]:
    """As bits, the smallest first."""
    chosen = {item.strip() for item in text.split(",") if item.strip()}
    if not chosen <= set(RIGHTS):
        raise InvalidSetting(", ".join(RIGHTS))
    if not chosen >= REQUIRED_RIGHTS:
        raise InvalidSetting(_("rights 1, 2 and 16 among them: without these no device can be looked after"))
    if PROVISIONING_CHANGE in chosen and PROVISIONING_LOOK not in chosen:
        raise InvalidSetting(_("right 128 together with 64 only"))
    return tuple(right for right in RIGHTS if right in chosen)


def minimum_os(text: str) -> tuple[str, ...]:
    wanted = tuple(item.strip() for item in text.split(",") if item.strip() and item.strip().lower() != "none")
    if any(MINIMUM.fullmatch(item) is None for item in wanted):
        raise InvalidSetting(_("none, or versions such as iOS=17.0,macOS=14.0"))
    return wanted


def host(text: str) -> str:
    if text and HOST.fullmatch(text) is None:
        raise InvalidSetting(_("a host name or an address; empty means that no mail is sent"))
    return text


def email(text: str) -> str:
    """Empty, or an address."""
    if text:
        try:
            validate_email(text)
        except ValidationError as error:
            raise InvalidSetting(_("an email address, or nothing")) from error
    return text


def certificates(text: str) -> str:
    if text:
        try:
            x509.load_pem_x509_certificates(text.encode())
        except ValueError as error:
            raise InvalidSetting(_("certificates in PEM, or nothing")) from error
    return text
