"""Which topic a profile carries, before and after there is a push certificate."""

from typing import Any

from devices.models import Device, Enrollment, PushCertificate
from devices.services import push_installation, push_requests, push_topics
from enrollment.services import renewal
from tests.apple_portal import TOPIC, answer
from tests.enrollment.commands.test_renew import payload_of
from tests.enrollment.phone import UDID, Phone, new_phone
from users.models import User


def install(**shape: Any) -> None:
    csr = bytes(push_requests.request(actor="test").csr)
    push_installation.install(answer(csr, **shape), confirmed=True, actor="test")


def test_the_lab_topic_serves_until_a_certificate_brings_its_own(phone: Phone, anna: User) -> None:
    assert phone.enrollment.topic == push_topics.lab_topic()
    install()

    assert new_phone(anna, key="another", number=42).enrollment.topic == TOPIC


def test_a_renewed_profile_keeps_the_topic_it_had(phone: Phone) -> None:
    phone.enroll()
    install()
    command = renewal.renew(Device.objects.get(udid=UDID), actor="test")

    (mdm,) = [part for part in payload_of(command)["PayloadContent"] if part["PayloadType"] == "com.apple.mdm"]
    assert mdm["Topic"] == push_topics.lab_topic()
    assert Enrollment.objects.get().topic == push_topics.lab_topic()


def test_an_expired_certificate_still_gives_its_topic(anna: User, adde: None) -> None:
    """It will be renewed, and its topic stays."""
    install()
    PushCertificate.objects.update(not_after="2020-01-01T00:00:00Z")

    assert new_phone(anna).enrollment.topic == TOPIC
