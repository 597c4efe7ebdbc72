"""`/go`, registration PINs and texts: what a person does before the device is enrolled."""

from typing import Any

import pytest
from django.test import Client

from devices.models import Device
from enrollment.models import Acceptance, Attempt
from enrollment.services import registration, trace
from epmm.models import AuditEntry
from tests.flows.house import PASSWORD, House, person, record_of, switch
from tests.self.conftest import HERS, IPAD, IPHONE, SignedIn, enter, phone, text
from users.models import RegistrationPin, Role, User
from users.services import roles

pytestmark = pytest.mark.django_db(transaction=True)
SIGNED_IN = {"user_id": "anna", "password": PASSWORD}


def go(client: Client, **changes: str) -> str:
    return text(client.post("/go", SIGNED_IN | changes))


def accept(client: Client, page: Any) -> Any:
    return client.post("/go", page.context["hidden"])


def test_web_registration_ends_with_what_to_type_on_this_device(anna: User) -> None:
    client = phone(IPHONE)
    assert 'name="password"' in text(client.get("/go"))
    assert 'name="pin"' not in text(client.get("/go"))

    page = go(client)
    assert "You may enroll a device." in page
    assert "How to enroll your iPhone" in page
    assert HERS in page
    assert not client.cookies.get("__Host-epmm-person")  # no session begins here
    assert not Attempt.objects.exists()


def test_the_texts_are_read_and_accepted_first_in_their_order(anna: User) -> None:
    switch("registration.privacy_page", "on")
    switch("registration.terms", "Be kind.")
    client = phone(IPHONE)

    privacy = client.post("/go", SIGNED_IN)
    assert "Your Privacy Matters" in text(privacy)
    terms = accept(client, privacy)
    assert "Be kind." in text(terms)
    assert "Be kind." in text(accept(client, privacy))  # the answer was lost
    assert "You may enroll a device." in text(accept(client, terms))
    accepted = Acceptance.objects.filter(user=anna).values_list("policy__kind", flat=True)
    assert set(accepted) == {"privacy", "terms"}


def test_an_altered_ticket_or_one_of_a_person_who_left_gets_nowhere(anna: User) -> None:
    switch("registration.terms", "Be kind.")
    client = phone()
    hidden = client.post("/go", SIGNED_IN).context["hidden"]

    assert client.post("/go", hidden | {"ticket": hidden["ticket"] + "x"}).status_code == 403
    anna.is_active = False
    anna.save()
    assert client.post("/go", hidden).status_code == 403
    assert not Acceptance.objects.exists()


def test_a_pin_is_asked_for_and_kept_for_the_device(house: House) -> None:
    anna = person()
    switch("registration.requirement", "pin")
    pin = registration.issue_pin(anna, actor="test")
    client = phone(IPHONE)

    assert 'name="password"' not in text(client.get("/go"))
    assert "is not right" in text(client.post("/go", {"user_id": "anna", "pin": "000000"}))
    assert "You may enroll a device." in text(client.post("/go", {"user_id": "anna", "pin": pin}))
    assert RegistrationPin.objects.get().used_at is None
    device = house.device()
    device.enroll(pin=pin)
    assert record_of(device).status == "ACTIVE"
    assert "is not right" in text(client.post("/go", {"user_id": "anna", "pin": pin}))


def test_a_pin_that_ran_out_says_so(anna: User) -> None:
    switch("registration.requirement", "pin")
    pin = registration.issue_pin(anna, actor="test")
    RegistrationPin.objects.update(expires_at="2020-01-01T00:00:00Z")

    page = text(phone().post("/go", {"user_id": "anna", "pin": pin}))
    assert "This PIN has expired. Ask for a new one." in page
    assert "E-203" in page


def test_who_may_not_enroll_is_told_before_with_a_code_that_can_be_looked_up(anna: User) -> None:
    roles.remove(anna, [Role.ADDE], actor="test")

    answer = phone(IPHONE).post("/go", SIGNED_IN)
    assert answer.status_code == 403
    attempt = Attempt.objects.get()
    assert attempt.last_code in text(answer)
    assert (attempt.user, attempt.state, attempt.model_family) == (anna, Attempt.State.FAILED, "iPhone")


def test_the_device_limit_is_told(house: House) -> None:
    person()
    house.enrolled()
    switch("registration.device_limit", "1")

    page = text(phone(IPAD).post("/go", SIGNED_IN))
    assert "You already use 1 of 1 allowed devices." in page


def test_guesses_are_slowed_down_and_unknown_names_told_like_known_ones(anna: User) -> None:
    pages = [go(phone(), user_id=name, password="wrong").replace(name, "") for name in ("anna", "nobody")]
    first, second = (page.split("csrfmiddlewaretoken")[0] + page.rpartition("</form>")[2] for page in pages)
    assert first == second

    statuses = [phone().post("/go", SIGNED_IN | {"password": "wrong"}).status_code for _ in range(10)]
    assert statuses[-1] == 429
    assert "Too many attempts" in go(phone())


def test_a_sign_in_that_fails_stands_in_the_enrollment_log_until_it_is_right(anna: User) -> None:
    page = go(phone(IPHONE), password="wrong")
    go(phone(IPHONE), password="wrong")
    go(phone(IPHONE), user_id="my secret password")

    known, unknown = Attempt.objects.order_by("pk")
    assert known.last_code in page
    assert (known.identifier, known.state, known.last_code, known.model_family) == (
        "anna", Attempt.State.FAILED, "E-201", "iPhone"
    )  # fmt: skip
    assert [step.details for step in known.steps.all()] == [{"where": "/go"}] * 2
    assert (unknown.identifier, unknown.last_code) == ("", "E-201")
    assert "secret" not in str([*Attempt.objects.values()])
    assert "You may enroll a device." in go(phone(IPHONE))
    known.refresh_from_db()
    assert (known.state, known.last_code) == (Attempt.State.OPEN, "")


def test_strangers_write_so_many_attempts_and_no_more(anna: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "PER_NETWORK_AND_HOUR", 2)
    for name in ("one", "two", "three", "one"):
        go(phone(), user_id=name, password="wrong")

    assert Attempt.objects.count() == 2
    assert [attempt.steps.count() for attempt in Attempt.objects.order_by("pk")] == [2, 1]


def test_who_has_signed_in_is_not_asked_again(signed_in: SignedIn) -> None:
    client = signed_in()
    switch("ios.mdm.account_driven_device_enrollment", "on")

    assert "You may enroll a device." in text(client.get("/go"))


def test_nothing_is_downloaded(anna: User) -> None:
    """Whatever is asked for, a browser gets a page."""
    client = phone(IPHONE)
    answers = [client.get("/go"), client.post("/go", SIGNED_IN)]

    assert {answer["Content-Type"] for answer in answers} == {"text/html; charset=utf-8"}
    assert not any("Content-Disposition" in answer.headers for answer in answers)


# --- PINs ---


def test_a_person_asks_for_a_pin_that_is_shown_once_and_enrolls(house: House) -> None:
    person("anna", roles=(Role.ADDE, Role.PORTAL_REGISTER))
    switch("registration.requirement", "pin")
    client = phone()
    enter(client)
    assert "You need one to enroll a device, and have none." in text(client.get("/"))

    digits = client.post("/my/pin").context["digits"]
    assert digits not in text(client.get("/my/pin"))
    page = text(client.get("/"))
    assert "Issued and not used yet." in page
    assert "Pending" in page
    assert digits not in page
    assert AuditEntry.objects.filter(action="pin.issued", actor="anna", subject="anna").count() == 1
    device = house.device()
    device.enroll(pin=digits)
    assert record_of(device).status == "ACTIVE"
    page = text(client.get("/"))
    assert "Used:" in page
    assert "Active" in page


def test_the_first_pin_and_another_one_each_need_their_role(transactional_db: None) -> None:
    user = person("anna", roles=(Role.ADDE, Role.PORTAL_REGISTER))
    switch("registration.requirement", "pin")
    client = phone()
    enter(client)

    assert client.post("/my/pin").status_code == 200
    assert client.post("/my/pin").status_code == 403
    roles.grant(user, [Role.PORTAL_RESET_PIN], actor="test")
    assert client.post("/my/pin").status_code == 200
    roles.remove(user, [Role.PORTAL_REGISTER], actor="test")
    RegistrationPin.objects.update(expires_at="2020-01-01T00:00:00Z")
    assert client.post("/my/pin").status_code == 403
    assert RegistrationPin.objects.standing().count() == 1


def test_without_pins_there_is_none_to_ask_for(signed_in: SignedIn) -> None:
    client = signed_in()

    assert client.post("/my/pin").status_code == 403
    assert "/my/pin" not in text(client.get("/"))
    assert not RegistrationPin.objects.exists()


# --- texts that have changed ---


def test_a_changed_text_is_asked_for_once_more_and_can_wait(signed_in: SignedIn) -> None:
    switch("ios.mdm.account_driven_device_enrollment", "on")
    switch("registration.terms", "Be kind.")
    signed_in()
    Device.objects.create(user=User.objects.get(user_id="anna"), status=Device.Status.ACTIVE)
    enrolled = Device.objects.exclude(terms_accepted_at=None)
    client = phone()
    accept(client, client.post("/go", SIGNED_IN))
    assert not enrolled.exists()  # that was for another device
    switch("registration.accept_again", "on")
    assert enter(client) == "/"
    assert client.get("/").status_code == 200

    switch("registration.terms", "Be very kind.")
    enter(client)
    assert client.get("/")["Location"] == "/my/texts"
    assert "Be very kind." in text(client.get("/my/texts"))
    assert client.post("/my/texts", {"later": "1"})["Location"] == "/"
    assert client.get("/").status_code == 200
    enter(client)
    shown = client.get("/my/texts")
    assert client.post("/my/texts", shown.context["hidden"])["Location"] == "/my/texts"
    assert client.get("/my/texts")["Location"] == "/"
    assert client.get("/").status_code == 200
    assert Acceptance.objects.filter(policy__text__contains="very").count() == 1
    assert enrolled.count() == 1
