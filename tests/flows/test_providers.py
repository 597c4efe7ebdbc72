"""Sign-in at an identity provider, from the typed account to a managed device."""

from collections.abc import Iterator

import httpx2
import pytest

from devices.models import Device
from enrollment import reasons
from enrollment.models import AccessToken, Attempt
from enrollment.reasons import Reason
from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family
from enrollment.simulator.refusal import TurnedAway
from tests.flows.house import HOST, House, person, record_of, switch
from tests.flows.rows import changed, rows
from tests.providers import pretender as far
from tests.providers.pretender import PASSWORD, Pretender
from users.models import Group, GroupRole, IdentityProvider, Role, SpentSignIn, User
from users.services import people


class Roads(httpx2.BaseTransport):
    """To us and to the provider."""

    def __init__(self, ours: httpx2.BaseTransport, theirs: httpx2.BaseTransport) -> None:
        self._ours, self._theirs = ours, theirs

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return (self._ours if request.url.host == HOST else self._theirs).handle_request(request)


@pytest.fixture
def pretender(house: House) -> Iterator[Pretender]:
    with far.in_place() as made:
        made.person |= {"email": "anna@corp.example", "groups": ["Staff"], "account": f"anna@{HOST}"}
        yield made


@pytest.fixture
def provider(pretender: Pretender) -> IdentityProvider:
    """Whose people may enroll when they are of the staff."""
    switch("registration.requirement", "identity_provider")
    row = far.row(account_claim="account")
    staff = Group.objects.create(provider=row, external_id="Staff", name="Staff")
    GroupRole.objects.create(group=staff, key=Role.ADDE, granted_by="test")
    return row


def phone(house: House, pretender: Pretender, family: Family = Family.IPHONE) -> SimulatedDevice:
    return house.device(family, transport=Roads(house.transport, pretender))


def at_the_sheet(house: House, pretender: Pretender) -> SimulatedDevice:
    device = phone(house, pretender)
    device.discover()
    device.request_challenge()
    return device


@pytest.mark.parametrize("role", [Role.ADDE, Role.AAUE])
def test_somebody_new_enrolls(house: House, pretender: Pretender, provider: IdentityProvider, role: Role) -> None:
    switch("ios.mdm.account_driven_device_enrollment", "on" if role == Role.ADDE else "off")
    switch("ios.mdm.account_driven_user_enrollment", "on" if role == Role.AAUE else "off")
    GroupRole.objects.update(key=role)
    device = phone(house, pretender)

    device.enroll(password=PASSWORD)

    anna = User.objects.get(user_id="anna")
    record = record_of(device)
    assert (record.status, record.user, record.enrollment_type) == (Device.Status.ACTIVE, anna, role.split(".")[1])
    assert record.managed_apple_account == f"anna@{HOST}"
    assert pretender.asked[0]["login_hint"] == f"anna@{HOST}"
    steps = [step.step for step in Attempt.objects.get().steps.all()]
    assert steps[:6] == ["discovery", "enrollment_request", "sign_in_page", "provider", "credentials", "policy"]


def test_whoever_is_signed_in_there_already_only_goes_on(
    house: House, pretender: Pretender, provider: IdentityProvider
) -> None:
    pretender.asks = False
    device = phone(house, pretender)

    device.enroll()

    assert record_of(device).status == Device.Status.ACTIVE


def test_the_texts_are_shown_after_the_provider(house: House, pretender: Pretender, provider: IdentityProvider) -> None:
    switch("registration.privacy_page", "on")
    switch("registration.terms", "on")

    phone(house, pretender).enroll(password=PASSWORD)

    assert User.objects.get().acceptances.count() == 2


def test_nothing_but_the_trace_is_written_on_the_way_there(
    house: House, pretender: Pretender, provider: IdentityProvider
) -> None:
    device = at_the_sheet(house, pretender)
    before = rows()

    with pytest.raises(TurnedAway):
        device.sign_in(password="another")  # the provider's page asks again

    assert changed(before, rows()) <= {"Attempt"}


def down(pretender: Pretender) -> None:
    pretender.is_down = True


def says_no(pretender: Pretender) -> None:
    pretender.says_no = "access_denied"


def lies(pretender: Pretender) -> None:
    pretender.changed = lambda claims: claims | {"nonce": "another"}


def unknown(_: Pretender) -> None:
    IdentityProvider.objects.update(creates_people=False)


def stranger(_: Pretender) -> None:
    IdentityProvider.objects.update(allowed_groups="Managers")


def disabled(_: Pretender) -> None:
    IdentityProvider.objects.update(is_enabled=False)


def without_role(pretender: Pretender) -> None:
    pretender.person["groups"] = []


def without_account(pretender: Pretender) -> None:
    del pretender.person["account"]


def somebody_else(pretender: Pretender) -> None:
    person("anna", managed_apple_account=f"anna@{HOST}")
    pretender.person |= {"sub": "s-bob", "preferred_username": "bob", "account": f"bob@{HOST}", "email": ""}


@pytest.mark.parametrize(
    ("obstacle", "reason"),
    [
        (down, reasons.PROVIDER_DOWN),
        (says_no, reasons.PROVIDER_SAID_NO),
        (lies, reasons.PROVIDER_DOUBTED),
        (unknown, reasons.NOT_KNOWN_HERE),
        (stranger, reasons.NOT_IN_GROUP),
        (disabled, reasons.NO_PROVIDER),
        (without_role, reasons.ROLE_MISSING),
        (without_account, reasons.ACCOUNT_MISSING),
        (somebody_else, reasons.SOMEONE_ELSE),
    ],
)
def test_an_obstacle_is_told_on_a_page_of_ours(
    house: House, pretender: Pretender, provider: IdentityProvider, obstacle: object, reason: Reason
) -> None:
    assert callable(obstacle)
    device = at_the_sheet(house, pretender)
    obstacle(pretender)

    with pytest.raises(TurnedAway) as refusal:
        device.sign_in(password=PASSWORD)

    assert (refusal.value.status, refusal.value.code) == (403, reason.code)
    assert len(refusal.value.sentence.split()) > 4
    assert not AccessToken.objects.exists()
    assert Attempt.objects.get().last_code == reason.code


def test_whoever_is_disabled_here_stays_out(house: House, pretender: Pretender, provider: IdentityProvider) -> None:
    phone(house, pretender).enroll(password=PASSWORD)
    people.set_active(User.objects.get(), is_active=False, actor="test")
    device = at_the_sheet(house, pretender)

    with pytest.raises(TurnedAway) as refusal:
        device.sign_in(password=PASSWORD)

    assert refusal.value.code == reasons.ACCOUNT_DISABLED.code


def test_a_callback_that_is_played_again(house: House, pretender: Pretender, provider: IdentityProvider) -> None:
    device = at_the_sheet(house, pretender)
    device.sign_in(password=PASSWORD)
    code = "spent-and-given-again"
    query = pretender.asked[-1]
    pretender.codes[code] = query
    before = rows()

    answer = httpx2.Client(transport=house.transport).get(
        query["redirect_uri"], params={"code": code, "state": query["state"]}
    )

    assert (answer.status_code, "E-206" in answer.text) == (403, True)
    assert changed(before, rows()) == set()
    assert SpentSignIn.objects.count() == 1


def test_passwords_are_not_taken_where_people_sign_in_elsewhere(
    house: House, pretender: Pretender, provider: IdentityProvider
) -> None:
    anna = person("anna", roles=(Role.ADDE,))
    device = at_the_sheet(house, pretender)
    assert device.sign_in_url is not None

    answer = httpx2.Client(transport=house.transport).post(
        device.sign_in_url, data={"user_id": anna.user_id, "password": "correct horse battery"}
    )

    assert (answer.status_code, answer.headers["Location"].startswith("/enroll/provider/")) == (302, True)


def test_a_choice_where_there_are_several(house: House, pretender: Pretender, provider: IdentityProvider) -> None:
    other = far.row(name="Subsidiary", position=1)
    far.row(name="For the portal", for_enrollment=False)
    device = at_the_sheet(house, pretender)
    assert device.sign_in_url is not None

    page = httpx2.Client(transport=house.transport).get(device.sign_in_url, params={"user-identifier": f"anna@{HOST}"})

    assert page.text.index("Corp Login") < page.text.index("Subsidiary")
    assert "For the portal" not in page.text
    assert f'href="/enroll/provider/{other.pk}/' in page.text
