"""Who has accepted which text: on a person's page, as a list, and the text itself as people saw it."""

import re
from collections.abc import Iterator

import pytest
from django.utils import translation

from devices.models import Enrollment
from enrollment.models import Acceptance, Attempt, PolicyText
from enrollment.services import consent
from enrollment.views.acceptances import NEWEST
from tests import factories
from tests.flows.house import House, person, record_of, switch
from tests.portal.conftest import SignedIn
from tests.portal.pages import text
from users.models import AdminRole, User

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """The language of a request stays with its thread."""
    translation.deactivate()
    yield
    translation.deactivate()


def written(content: str) -> PolicyText:
    """A new version of the terms, which somebody is shown."""
    switch("registration.terms", content)
    return consent.due(Enrollment.Kind.ADDE)[-1]


def accept(user: User, policy: PolicyText, attempt: Attempt | None = None) -> None:
    consent.accept(user, policy, attempt=attempt, address="192.0.2.7")


def told(page: str) -> list[str]:
    """The rows that name a text, without their tags."""
    rows = re.findall(r"<tr>((?:(?!</tr>).)*/admin/texts/.*?)</tr>", page, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]


def test_a_person_s_page_tells_which_texts_were_accepted_the_newest_first(signed_in: SignedIn) -> None:
    client, anna, other = signed_in(), factories.user("anna"), factories.user("other")
    page = text(client.get(f"/admin/users/{anna.pk}"))
    address, everything = f"/admin/users/{anna.pk}/accepted", f"/admin/users/{anna.pk}/acceptances"
    assert f'hx-get="{address}"' in page
    assert everything in page, "without a script"
    assert "Nothing was accepted yet." in text(client.get(address))

    attempt = Attempt.objects.create(reference="r", identifier="anna@corp.example", user=anna)
    first, second = written("Be careful."), written("Be kind.")
    accept(anna, first, attempt)
    accept(anna, second)
    accept(other, first)
    page = text(client.get(address))
    when = r"\d{4}-\d\d-\d\d \d\d:\d\d"
    newest, oldest = told(page)
    assert re.fullmatch(rf"Terms of Service Version 2, en {when} 192\.0\.2\.7", newest)
    assert re.fullmatch(rf"Terms of Service Version 1, en {when} 192\.0\.2\.7 Trace", oldest)
    trace = f"/admin/logs/enrollment/{attempt.pk}"
    assert trace in page

    helper = signed_in("helper", [AdminRole.USER_VIEW])
    for shown in (address, everything):
        assert "192.0.2.7" in text(helper.get(shown))
        assert trace not in text(helper.get(shown)), "whoever reads no logs"
    attempt.delete()
    page = text(client.get(address))
    assert trace not in page
    assert len(told(page)) == 2, "what was accepted stays"


def test_more_than_a_few_are_a_list(signed_in: SignedIn) -> None:
    client, anna, policy = signed_in(), factories.user("anna"), written("Be kind.")
    for _time in range(NEWEST):
        accept(anna, policy)
    address, everything = f"/admin/users/{anna.pk}/accepted", f"/admin/users/{anna.pk}/acceptances"
    assert everything not in text(client.get(address))

    accept(anna, policy, Attempt.objects.create(reference="r", user=anna))
    page = text(client.get(address))
    assert len(told(page)) == NEWEST
    assert everything in page
    page = text(client.get(everything))
    assert len(told(page)) == NEWEST + 1
    assert page.count(f"/admin/logs/enrollment/{Attempt.objects.get().pk}") == 1


def test_whoever_does_not_see_personal_data_does_not_see_who_accepted_what(signed_in: SignedIn) -> None:
    client, anna = signed_in("viewer"), factories.user("anna")
    accept(anna, written("Be kind."))
    User.objects.filter(user_id="viewer").update(hides_personal_data=True)

    for shown in ("accepted", "acceptances"):
        assert client.get(f"/admin/users/{anna.pk}/{shown}").status_code == 403


def test_a_text_is_read_as_people_saw_it_by_any_administrator(signed_in: SignedIn) -> None:
    policy = written("# Rules\n\nBe <b>careful</b>: [more](https://example.com/).\n\nAlways.")
    address = f"/admin/texts/{policy.pk}"
    assert address in text(signed_in().get("/admin/settings/texts"))

    page = text(signed_in("helper", [AdminRole.LABEL_VIEW]).get(address))
    assert "<h1>Terms of Service</h1>" in page
    assert re.search(r'<article [^>]*lang="en">\s*<h2>Rules</h2>', page)
    assert "Be &lt;b&gt;careful&lt;/b&gt;" in page
    assert '<a href="https://example.com/" rel="noreferrer">more</a>' in page


def test_the_enrollment_of_a_device_tells_which_version_was_accepted(signed_in: SignedIn, house: House) -> None:
    person("anna")
    written("Be careful.")
    switch("registration.terms", "Be kind.")
    device = record_of(house.enrolled())

    page = text(signed_in().get(f"/admin/devices/{device.uuid}/enrollment"))
    version = Acceptance.objects.get(user__user_id="anna").policy.version
    assert f"Kind: Terms of Service, Version: {version}" in page
