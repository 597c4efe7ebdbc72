"""Texts of the privacy page and the terms by language and country, as administrators write them."""

import re
from dataclasses import dataclass
from typing import Final

from django.conf.locale import LANG_INFO
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from enrollment.models import LocalText, PolicyText, Rule
from enrollment.models.consent import LONGEST_NAME
from enrollment.services import rules
from epmm import audit, markup
from epmm.markup import MarkupRefused
from epmm.numbers import grouped

LONGEST: Final = 20_000
COUNTRY: Final = re.compile(r"[A-Z]{2}|[0-9]{3}")
# By their own names, as people look for them.
LANGUAGES: Final[dict[str, str]] = {
    code: str(told["name_local"]) for code, told in LANG_INFO.items() if code.isalpha() and "name_local" in told
}
CHOICES: Final[list[tuple[str, str]]] = sorted(LANGUAGES.items(), key=lambda each: each[1].casefold())


class TextRefused(Exception):
    """The argument is a sentence for the administrator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    kind: PolicyText.Kind
    language: str
    country: str
    content: str
    notice_email: str
    name: str = ""  # of terms that a rule names


def save(written: Written, *, actor: str, row: LocalText | None = None) -> LocalText:
    """Raises TextRefused; then nothing is changed."""
    text = row or LocalText(kind=written.kind)
    before, text.name = text.name, written.name.strip()
    text.language, text.country = written.language, written.country.strip().upper()
    text.content, text.notice_email = _checked(written.content), written.notice_email.strip()
    text.changed_at, text.changed_by = timezone.now(), actor
    if text.language not in LANGUAGES or (text.country and COUNTRY.fullmatch(text.country) is None):
        raise TextRefused(_("Choose a language, and for a country its two letters: AT for Austria, say."))
    if text.notice_email:
        try:
            validate_email(text.notice_email)
        except ValidationError as error:
            raise TextRefused(" ".join(error.messages)) from error
    if len(text.name) > LONGEST_NAME or not text.name.isprintable():
        raise TextRefused(_("A name has at most {n} characters.").format(n=LONGEST_NAME))
    if text.name and text.kind != PolicyText.Kind.TERMS:
        raise TextRefused(_("Only terms have a name."))
    try:
        with transaction.atomic():
            hold(before)
            text.save()
            _keep_named(before)
            _record("text.saved", text, actor)
    except IntegrityError as error:
        raise TextRefused(_("There is a text for {tag} already.").format(tag=_subject(text))) from error
    return text


@transaction.atomic
def delete(text: LocalText, *, actor: str) -> None:
    """What people have seen and accepted of it stays, as versions.  Raises TextRefused."""
    hold(text.name)
    _record("text.deleted", text, actor)
    text.delete()
    _keep_named(text.name)


def hold(name: str) -> bool:
    """Whether there are terms of this name, which nobody else takes away before the transaction ends."""
    named = LocalText.objects.select_for_update().filter(kind=PolicyText.Kind.TERMS, name=name).order_by("pk")
    return bool(name) and bool(named.values_list("pk"))


def names() -> list[str]:
    """Of the terms that rules may name."""
    named = LocalText.objects.filter(kind=PolicyText.Kind.TERMS).exclude(name="")
    return list(named.order_by("name").values_list("name", flat=True).distinct())


def languages_of(name: str) -> list[str]:
    found = LocalText.objects.filter(kind=PolicyText.Kind.TERMS, name=name).order_by("pk")
    return list(found.values_list("language", flat=True))


def _keep_named(name: str) -> None:
    """Whom a rule has no terms for any more would read nothing.  In a transaction, which this undoes."""
    if not name or LocalText.objects.filter(kind=PolicyText.Kind.TERMS, name=name).exists():
        return
    rule = rules.named(Rule.objects.filter(terms_name=name)).first()
    if rule is not None:
        raise TextRefused(_("The rule for {audience} names these terms: change it first.").format(audience=rule))


def _checked(content: str) -> str:
    try:
        cleaned = markup.clean(content)
    except MarkupRefused as error:
        raise TextRefused(str(error)) from error
    if not 0 < len(cleaned) <= LONGEST:
        raise TextRefused(_("A text has 1 to {n} characters.").format(n=grouped(LONGEST)))
    return cleaned


def _subject(text: LocalText) -> str:
    return f"{text.name} {text.tag}".strip()


def _record(action: str, text: LocalText, actor: str) -> None:
    details = {"notice": text.notice_email, "characters": len(text.content)}
    audit.record(action, actor=actor, subject_type="text", subject=f"{text.kind} {_subject(text)}", details=details)
