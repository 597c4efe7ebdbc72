"""From an empty installation to its first device."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from devices.services import push_installation, push_requests
from enrollment.services import overview
from epmm import options, settings_store
from epmm.models import Heartbeat, Job
from tests import apple_portal, factories
from tests.devices.services.rows import enrolled
from tests.portal.conftest import SignedIn
from users.models import AdminRole, Role

pytestmark = pytest.mark.django_db(transaction=True)
DASHBOARD = "/admin/dashboard"
MARKUP = re.compile(r"<svg.*?</svg>|<[^>]+>|(Done|To do):", re.DOTALL)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    settings_store.clear_cache()
    overview.forget()
    yield
    overview.forget()


def steps(page: bytes) -> list[tuple[bool, str]]:
    """Each step: whether it is done, and its words."""
    guide = page.decode().partition('class="first-run"')[2].partition("</ol>")[0]
    found = re.findall(r"<li (class=\"done\")?>(.*?)</li>", guide, re.DOTALL)
    return [(bool(done), MARKUP.sub("", text).strip()) for done, text in found]


def test_what_the_server_finds_done_is_ticked_until_a_device_is_enrolled(signed_in: SignedIn) -> None:
    client = signed_in()
    assert [done for done, _text in steps(client.get(DASHBOARD).content)] == [False] * 6

    Heartbeat.objects.create(name="worker", at=timezone.now())
    settings_store.change(options.ENTERPRISE_NAME.name, "Corp", actor="admin")
    csr = push_requests.request(actor="admin").csr
    push_installation.install(apple_portal.answer(bytes(csr)), actor="admin")
    settings_store.change(options.AAUE.name, "on", actor="admin")
    factories.user("anna", roles=(Role.AAUE,), managed_apple_account="anna@corp.example")
    found = steps(client.get(DASHBOARD).content)
    assert [done for done, _text in found] == [True] * 5 + [False]
    assert found[-1][1] == "Enroll the first device"

    enrolled()
    overview.forget()
    assert steps(client.get(DASHBOARD).content) == []


@pytest.mark.parametrize(
    ("account", "roles"), [(None, (Role.ADDE,)), ("anna@corp.example", (Role.PORTAL,)), ("anna@corp.example", ())]
)
def test_half_prepared_people_are_no_step(signed_in: SignedIn, account: str | None, roles: tuple[Role, ...]) -> None:
    factories.user("anna", roles=roles, managed_apple_account=account)

    assert steps(signed_in().get(DASHBOARD).content)[4][0] is False


def test_a_step_leads_only_where_this_administrator_may_go(signed_in: SignedIn) -> None:
    page = signed_in(roles=[AdminRole.DEVICE_VIEW]).get(DASHBOARD).content.decode()

    assert "Enable account-driven enrollment" in page
    assert "/admin/settings" not in page


def test_a_simulated_device_is_offered_where_this_is_no_production(
    signed_in: SignedIn, settings: Settings, tmp_path: Path
) -> None:
    client = signed_in()
    assert "simulated" not in client.get(DASHBOARD).content.decode()
    assert client.post(f"{DASHBOARD}/simulated-device").status_code == 404

    settings.TLS_DIR, settings.TLS_CERTIFICATE = tmp_path, tmp_path / "server.pem"
    assert "As soon as a worker runs" in client.get(DASHBOARD).content.decode()
    Heartbeat.objects.create(name="worker", at=timezone.now())
    settings_store.change(options.ADDE.name, "on", actor="admin")
    assert "An iPhone that this server plays" in client.get(DASHBOARD).content.decode()
    for _ in range(2):
        assert client.post(f"{DASHBOARD}/simulated-device").status_code == 302
    assert Job.objects.filter(kind="enrollment.simulate").count() == 1
