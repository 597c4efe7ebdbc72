"""Settings > Users & Devices > Privacy and terms."""

from collections.abc import Iterator

import pytest
from django.utils import translation

from devices.models import Enrollment
from enrollment.models import LocalText
from enrollment.services import consent
from epmm import options, settings_store
from epmm.models import SettingRow
from tests import factories
from tests.portal.conftest import SignedIn
from tests.portal.pages import filled
from users.models import AdminRole

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """The language of a request stays with its thread."""
    settings_store.clear_cache()
    translation.deactivate()
    yield
    translation.deactivate()


TEXTS = "/admin/settings/texts"


def test_a_text_of_ones_own_is_previewed_saved_and_its_versions_listed(signed_in: SignedIn) -> None:
    client = signed_in()
    own = {"kind": "terms", "mode": "own", "text": "Be <b>careful</b>.\r\n\r\nAlways."}

    preview = client.post(f"{TEXTS}/preview", own).content.decode()
    assert "<p>Be &lt;b&gt;careful&lt;/b&gt;.</p>" in preview
    assert settings_store.read(options.TERMS) == "off"

    assert client.post(TEXTS, own).status_code == 302
    assert settings_store.read(options.TERMS) == "Be <b>careful</b>.\n\nAlways."
    assert settings_store.read(options.PRIVACY_PAGE) == "off"
    (seen,) = consent.due(Enrollment.Kind.ADDE)
    person = factories.user("anna")
    consent.accept(person, seen, attempt=None, address=None)
    consent.accept(person, seen, attempt=None, address=None)
    page = client.get(TEXTS).content.decode()
    assert "Versions that people have seen" in page
    assert "<td>1</td><td>en</td>" in page


@pytest.mark.parametrize("word", ["", "off", "None", "ON", "  "])
def test_a_word_that_means_something_else_is_no_text(signed_in: SignedIn, word: str) -> None:
    page = signed_in().post(TEXTS, {"kind": "privacy", "mode": "own", "text": word})

    assert "Write the text that people are to read." in page.content.decode()
    assert not SettingRow.objects.exists()


def test_the_built_in_privacy_page_is_previewed_for_both_kinds(signed_in: SignedIn) -> None:
    page = signed_in().post(f"{TEXTS}/preview", {"kind": "privacy", "mode": "on"}).content.decode()

    assert "<h3>ADDE</h3>" in page
    assert "cannot erase the device" in page


def test_texts_stay_as_they_are_for_who_may_only_look(signed_in: SignedIn) -> None:
    client = signed_in(roles=[AdminRole.SETTINGS_VIEW])

    assert client.post(TEXTS, {"kind": "terms", "mode": "on"}).status_code == 403
    assert client.get(TEXTS).status_code == 200


def test_texts_by_language_are_written_shown_changed_and_deleted(signed_in: SignedIn) -> None:
    client = signed_in()
    new = {"go": "1", "kind": "terms", "language": "de", "country": "at", "content": "# Hallo\r\n<b>"}
    assert 'id="dialog-title"' in client.get(f"{TEXTS}/edit?kind=terms").content.decode()

    assert client.post(f"{TEXTS}/edit", new | {"notice_email": "hr@example.test"}).status_code == 204
    row = LocalText.objects.get()
    assert (row.tag, row.content, row.changed_by) == ("de-AT", "# Hallo\n<b>", "admin")
    page = client.get(TEXTS).content.decode()
    assert "<strong>Deutsch</strong>" in page
    assert "hr@example.test" in page
    wrong = client.post(f"{TEXTS}/edit", new)
    assert wrong.status_code == 422
    assert "There is a text for de-AT already." in wrong.content.decode()

    changed = client.post(f"{TEXTS}/edit", new | {"number": str(row.pk), "country": "", "content": "Neu"})
    assert changed.status_code == 204
    assert LocalText.objects.get().content == "Neu"
    client.post(f"{TEXTS}/delete", {"number": str(row.pk)})
    assert not LocalText.objects.exists()


def test_who_is_told_and_who_is_asked_again_are_settings_of_this_page(signed_in: SignedIn) -> None:
    client = signed_in()
    changed = {"registration.consent_notice": "hr@example.test", "registration.accept_again": "on"}

    assert client.post(TEXTS, filled(client, TEXTS, **changed)).status_code == 302
    assert settings_store.read(options.CONSENT_NOTICE) == "hr@example.test"
    assert settings_store.read(options.ACCEPT_AGAIN) is True
    assert settings_store.read(options.TERMS) == "off"
    assert (
        "This value is not possible."
        in client.post(TEXTS, filled(client, TEXTS, **{"registration.consent_notice": "nobody"})).content.decode()
    )
