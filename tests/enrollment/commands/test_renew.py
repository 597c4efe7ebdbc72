import plistlib
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from asn1crypto import cms as asn1_cms
from django.core.management import CommandError, call_command
from django.utils import timezone

from devices.models import Command, Device
from enrollment.models import ScepChallenge
from epmm.models import AuditEntry
from tests.enrollment.phone import UDID, Phone

pytestmark = pytest.mark.django_db


def run(device: str) -> str:
    out = StringIO()
    call_command("renew", device, stdout=out)
    return out.getvalue().strip()


def payload_of(command: Command) -> dict[str, Any]:
    signed = plistlib.loads(bytes(command.rendered))["Command"]["Payload"]
    content = asn1_cms.ContentInfo.load(signed)["content"]["encap_content_info"]["content"].native
    profile: dict[str, Any] = plistlib.loads(content)
    return profile


def test_the_profile_is_sent_again_with_another_identity_and_nothing_else_changed(phone: Phone, anna: Any) -> None:
    phone.enroll()
    first, second = (Command.objects.get(uuid=run(name)) for name in (UDID, "TESTSERIAL01"))
    anna.managed_apple_account = "new-name@mdm.example.test"
    anna.save()
    third = Command.objects.get(uuid=run(str(Device.objects.get().uuid)))

    profiles = [payload_of(command) for command in (first, second, third)]
    mdm = [profile["PayloadContent"][1] for profile in profiles]
    immutable = ("Topic", "ServerURL", "CheckInURL", "AssignedManagedAppleID", "EnrollmentMode", "ServerCapabilities")
    assert all([part[key] for key in immutable] == [mdm[0][key] for key in immutable] for part in mdm)
    assert len({profile["PayloadContent"][0]["PayloadContent"]["Challenge"] for profile in profiles}) == 3
    assert AuditEntry.objects.filter(action="command.queued").count() == 3


def test_a_device_that_comes_back_after_weeks_can_still_renew(phone: Phone) -> None:
    phone.enroll()
    run(UDID)

    assert ScepChallenge.objects.latest("pk").expires_at > timezone.now() + timedelta(days=29)


def test_the_result_of_the_renewal_itself_is_awaited(phone: Phone) -> None:
    phone.enroll()
    command = Command.objects.get(uuid=run(UDID))
    Command.objects.filter(pk=command.pk).update(state=Command.State.OFFERED)
    new = phone.new_identity()
    phone.send("authenticate-adde-ios", identity=new)
    phone.send("tokenupdate-adde-ios", identity=new)

    command.refresh_from_db()
    assert command.state == Command.State.OFFERED


@pytest.mark.parametrize("prepare", ["unknown", "retired"])
def test_what_is_not_managed_cannot_be_renewed(phone: Phone, prepare: str) -> None:
    if prepare == "retired":
        phone.enroll()
        phone.send("checkout-adde")
    with pytest.raises(CommandError):
        run(UDID)
