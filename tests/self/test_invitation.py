"""A person sends the steps to their own mail, to read them on the device that they enroll."""

from pathlib import Path

from enrollment.models import InvitationTemplate
from enrollment.services import invitations
from epmm import settings_store
from tests import smtp
from tests.enrollment.services.inviting import WITH_PIN, draft, of, text_of, work
from tests.flows.house import PASSWORD, House, person, record_of
from tests.self.conftest import HERS, enter, phone, text
from users.models import Role, User
from users.services import limits, roles

BUTTON = 'action="/my/invitation"'


def test_the_steps_come_by_mail_and_the_device_is_pending_until_it_is_enrolled(house: House, tmp_path: Path) -> None:
    person("anna", roles=(Role.ADDE, Role.PORTAL_REGISTER))
    User.objects.filter(user_id="anna").update(email="anna@example.test")
    client = phone()
    enter(client)
    assert BUTTON not in text(client.get("/"))  # no mail server is known
    assert client.post("/my/invitation").status_code == 403

    with smtp.open_server(tmp_path) as box:
        smtp.use(box)
        assert BUTTON in text(client.get("/"))
        assert "on their way to anna@example.test" in text(client.post("/my/invitation", follow=True))
        work()
        (message,) = box.taken
    assert HERS in text_of(message)
    assert "Pending" in text(client.get("/"))
    device = house.device()
    device.enroll(password=PASSWORD)
    assert record_of(device).status == "ACTIVE"
    assert "Pending" not in text(client.get("/"))


def test_it_needs_its_role_and_has_its_limit(house: House, tmp_path: Path) -> None:
    anna = person("anna", roles=(Role.ADDE, Role.PORTAL_REGISTER))
    User.objects.filter(pk=anna.pk).update(email="anna@example.test")
    settings_store.change(limits.INVITATIONS.most.name, "1", actor="test")
    client = phone()
    enter(client)

    with smtp.open_server(tmp_path) as box:
        smtp.use(box)
        InvitationTemplate.objects.create(kind="invitation", language="en", subject="Welcome", text="Your PIN: {pin}")
        invitations.send([anna], draft(WITH_PIN, has_pin=True, remind_after_days=3, reminders=2), actor="root")
        answers = [client.post("/my/invitation") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [302, 429]
        assert int(answers[1]["Retry-After"]) > 0
        roles.remove(anna, [Role.PORTAL_REGISTER], actor="test")
        assert BUTTON not in text(client.get("/"))
        assert client.post("/my/invitation").status_code == 403
        work()
        assert [message["Subject"] for message in box.taken] == ["Enroll your device with EPMM"]
    assert of(anna).remind_at is not None
