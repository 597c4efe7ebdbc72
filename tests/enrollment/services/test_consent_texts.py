"""Which text a person reads, what is told of an acceptance, and when it is asked for again."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import translation

from devices.models import Enrollment
from enrollment.models import Attempt, LocalText, PolicyText
from enrollment.protocol import languages
from enrollment.services import consent, local_texts
from enrollment.services.local_texts import TextRefused, Written
from epmm import settings_store
from epmm.models import AuditEntry, Mail
from tests import factories, smtp

pytestmark = pytest.mark.django_db
ADDE, TERMS = Enrollment.Kind.ADDE, PolicyText.Kind.TERMS


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    settings_store.clear_cache()
    with translation.override("en"):
        settings_store.change("registration.terms", "on", actor="test")
        yield
    settings_store.clear_cache()


def write(tag: str, content: str = "", *, row: LocalText | None = None, notice: str = "") -> LocalText:
    language, _dash, country = tag.partition("-")
    written = Written(
        kind=TERMS, language=language, country=country, content=content or f"Text for {tag}", notice_email=notice
    )
    return local_texts.save(written, actor="root", row=row)


def read(*headers: str) -> str:
    (text,) = consent.due(ADDE, languages.wanted(*headers))
    return text.text


@pytest.mark.parametrize(
    ("headers", "tags"),
    [
        (["de-AT,de;q=0.9,en;q=0.8"], ["de-AT", "de", "en"]),
        (["fr", "de-CH"], ["fr", "de-CH", "de"]),
        (["en;q=0.1, zh-Hant-TW"], ["zh-TW", "zh", "en"]),
        (["pt_BR"], ["pt-BR", "pt"]),
        (["es-419"], ["es-419", "es"]),
        (["*", "de;q=0", "", "not a language", "x" * 1000], []),
        (["DE-at"], ["de-AT", "de"]),
    ],
)
def test_what_a_device_wants(headers: list[str], tags: list[str]) -> None:
    assert languages.wanted(*headers) == tags


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("de-AT", "Text for de-AT"),
        ("de-DE", "Text for de"),
        ("de", "Text for de"),
        ("fr-FR", "Text for fr-CA"),
        ("fr-CA,de", "Text for fr-CA"),
        ("it,de;q=0.5", "Text for de"),
        ("it", "Text for en"),  # the language of the pages
        ("", "Text for en"),
    ],
)
def test_the_text_that_fits_best_is_shown(header: str, text: str) -> None:
    for tag in ("de", "de-AT", "en", "fr-CA"):
        write(tag)

    assert read(header) == text


def test_a_name_is_for_terms_alone() -> None:
    german = {"language": "de", "country": "", "content": "Gut.", "notice_email": ""}
    with pytest.raises(TextRefused, match="Only terms"):
        local_texts.save(Written(kind=PolicyText.Kind.PRIVACY, name="Staff", **german), actor="root")


def test_a_text_for_all_others_stands_for_what_is_not_written() -> None:
    settings_store.change("registration.terms", "For everybody.", actor="test")
    write("de")

    assert (read("de"), read("it")) == ("Text for de", "For everybody.")


def test_without_any_text_the_built_in_one_is_shown() -> None:
    assert read("it") == "You use this device for work under the rules of your organization."


def test_a_changed_text_is_a_new_version_of_its_own_language() -> None:
    row = write("de-AT", "One.")
    (first,) = consent.due(ADDE, ["de-AT"])
    write("de-AT", "Two.", row=row)

    (second,) = consent.due(ADDE, ["de-AT"])
    assert [(each.language, each.version) for each in (first, second)] == [("de-AT", 1), ("de-AT", 2)]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tag": "xx"}, "Choose a language"),
        ({"tag": "de-Wien"}, "Choose a language"),
        ({"notice": "nobody"}, "valid email"),
        ({"content": "[x](javascript:alert)"}, "A link begins with"),
        ({"content": "\0"}, "1 to 20,000 characters"),
        ({"tag": "en"}, "There is a text for en already."),
    ],
)
def test_what_cannot_be_saved_changes_nothing(changes: dict[str, Any], told: str) -> None:
    write("en")

    with pytest.raises(TextRefused, match=told):
        write(**{"tag": "de", **changes})
    assert LocalText.objects.count() == 1
    assert AuditEntry.objects.filter(action="text.saved").count() == 1


def test_an_acceptance_is_told_to_whom_the_text_names() -> None:
    for name, value in {"host": "localhost", "from": smtp.SENDER}.items():
        settings_store.change(f"mail.{name}", value, actor="test")
    settings_store.change("registration.consent_notice", "all@example.test", actor="test")
    write("de", notice="hr@example.test")
    anna = factories.user("anna", email="anna@example.test", full_name="Anna Ito")
    attempt = Attempt.objects.create(reference="r", kind="aaue", model_family="iPad")
    (german,) = consent.due(ADDE, ["de"])
    (other,) = consent.due(ADDE, ["it"])

    for _again in range(2):
        consent.accept(anna, german, attempt=attempt, address="192.0.2.7")
    consent.accept(anna, other, attempt=None, address=None)

    told = Mail.objects.order_by("pk")
    assert [mail.recipient for mail in told] == ["hr@example.test", "all@example.test"]
    text = bytes(told[0].content or b"").decode()
    for fact in ("User name: anna", "Display name: Anna Ito", "Email: anna@example.test", "192.0.2.7", "Platform: iOS"):
        assert fact in text
    assert "Employee-owned: true" in text
    assert "Text: Terms of service accepted, de, version 1" in text


def test_nobody_is_told_where_no_mail_server_is() -> None:
    settings_store.change("registration.consent_notice", "all@example.test", actor="test")
    (text,) = consent.due(ADDE)

    consent.accept(factories.user("anna"), text, attempt=None, address=None)

    assert not Mail.objects.exists()


def test_who_has_accepted_is_asked_again_after_a_change_where_that_is_switched_on() -> None:
    anna, row = factories.user("anna"), write("de", "One.")
    (first,) = consent.due(ADDE, ["de"])
    consent.accept(anna, first, attempt=None, address=None)
    write("de", "Two.", row=row)

    assert consent.outstanding(anna, ADDE, ["de"]) == []
    settings_store.change("registration.accept_again", "on", actor="test")
    (asked,) = consent.outstanding(anna, ADDE, ["de"])
    assert asked.text == "Two."
    assert consent.outstanding(factories.user("ben"), ADDE, ["de"]) == []  # who enrolls is asked then
    consent.accept(anna, asked, attempt=None, address=None)
    assert consent.outstanding(anna, ADDE, ["de"]) == []


def test_another_language_alone_is_no_change() -> None:
    settings_store.change("registration.accept_again", "on", actor="test")
    anna = factories.user("anna")
    for tag in ("de", "fr"):
        write(tag)
    (german,) = consent.due(ADDE, ["de"])
    consent.accept(anna, german, attempt=None, address=None)

    assert consent.outstanding(anna, ADDE, ["fr"]) == []
    write("de", "Zwei.", row=LocalText.objects.get(language="de"))
    (asked,) = consent.outstanding(anna, ADDE, ["fr"])
    assert asked.language == "fr"
    assert "Zwei." not in PolicyText.objects.values_list("text", flat=True)  # which nobody has seen
