"""What a Mac with several users is to hold, in the portal, by the API and by `manage.py`: nobody is left out."""

import re
from collections.abc import Iterable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.models import ChannelStatus, DeclarationSet, DeclarationState, Device, Manifest
from devices.services import declaration_overview
from tests.api.conftest import Script, basic, make_caller
from tests.api.x.conftest import X
from tests.devices.commands_line.run import run_json
from tests.devices.services.rows import channel_of, device_of, enrolled
from tests.portal.conftest import SignedIn
from tests.portal.pages import text

pytestmark = pytest.mark.django_db(transaction=True)
USERS = [f"user{number:02}" for number in range(12)]
SHOWN = re.compile(r"<tr><td>([^<]+)</td>")


def mac(users: Iterable[str], *, each: int = 3) -> Device:
    """The Mac and its users hold as many declarations each, and have reported the last of them as invalid."""
    enrollment = enrolled(platform=Device.Platform.MACOS, udid="mac", device_name="Mac")
    for user in ("", *users):
        channel, token = channel_of(enrollment, user), f"of {user}"
        items = [["configuration", f"{user or 'mac'}.{number:03}", "t"] for number in range(each)]
        Manifest.objects.create(token=token, items=items)
        DeclarationSet.objects.create(channel=channel, token=token, served_token=token)
        ChannelStatus.objects.create(channel=channel, items={"device.model.family": "Mac"})
        kind, identifier, server_token = items[-1]
        key = {"kind": kind, "identifier": identifier, "server_token": server_token}
        reasons = [{"description": f"refused for {user or 'mac'}"}]
        DeclarationState.objects.create(channel=channel, valid="invalid", reasons=reasons, **key)
    return device_of(enrollment)


def test_many_users_cost_as_many_statements_as_none() -> None:
    def cost(users: Iterable[str]) -> list[str]:
        device = mac(users)
        with CaptureQueriesContext(connection) as captured:
            assert len(declaration_overview.of_device(device)) == 1 + len(list(users))
        Manifest.objects.all().delete()
        device.delete()
        return [query["sql"] for query in captured]

    few, many = cost([]), cost(USERS)

    assert len(few) == len(many) == 5
    assert not any('"devices_channelstatus"."items"' in statement for statement in many)  # megabytes that nobody sees


def test_a_page_shows_every_user_with_what_failed(signed_in: SignedIn) -> None:
    device, client = mac(USERS), signed_in()
    address = f"/admin/devices/{device.uuid}/declarations"
    client.get(address)

    with CaptureQueriesContext(connection) as captured:
        shown = text(client.get(address))

    assert len(captured) <= 12
    assert [user for user in USERS if f"User {user}</strong>" in shown] == USERS
    assert [user for user in ["mac", *USERS] if f"refused for {user}" in shown] == ["mac", *USERS]
    assert "Show all" not in shown


def test_what_a_page_has_no_room_for_is_a_click_away(signed_in: SignedIn) -> None:
    device, client = mac(USERS, each=60), signed_in()
    address = f"/admin/devices/{device.uuid}/declarations"

    page = text(client.get(address))

    assert len(page) < 60_000
    assert len(SHOWN.findall(page)) == 100
    assert SHOWN.findall(page)[60] == "user00.059"  # which failed
    assert re.findall(r'"\?user=(\w*)">Show all 60 declarations', page) == USERS
    alone = text(client.get(address, {"user": "user11"}))
    assert sorted(SHOWN.findall(alone)) == [f"user11.{number:03}" for number in range(60)]
    assert len(SHOWN.findall(text(client.get(address, {"user": ""})))) == 60
    assert client.get(address, {"user": "nobody"}).status_code == 404


def test_a_script_gets_them_all(transactional_db: None) -> None:
    device = mac(USERS, each=60)
    make_caller()

    told = Script(basic("script"), base=X).get(f"devices/{device.uuid}/declarations")["items"]
    assert [(each["user"], len(each["declarations"])) for each in told] == [(user, 60) for user in ["", *USERS]]
    said = run_json("declaration", "status", str(device.uuid))
    assert [each["status"] for each in said] == [{"device.model.family": "Mac"}] * 13
