"""An installation as after a year, made by the database itself: many rows in whatever the portal lists."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from bench import portal_people, portal_policies, search_rows
from bench.portal_people import MANY
from bench.search_rows import copy, moment, new_uuid

STEPS: Final = 12
AT_ONCE: Final = 2_000
ACTIONS: Final = "CASE n % 5 WHEN 0 THEN 'user.changed' WHEN 1 THEN 'portal.signed_in' ELSE 'device.command_sent' END"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """What an address may name; of each the one that has most to show."""

    device: UUID
    person: int
    admin: int
    label: int  # a few devices have it
    large_label: int  # every second one
    attempt: int
    command: int
    configuration: int
    attribute: int  # a custom one
    provider: int  # of identities
    export: UUID  # of the audit log
    run: int  # an action to every device
    people_run: int  # and one to everybody
    webhook: int
    delivery: int  # to it
    directory: int  # one that is away; everybody is in some of its groups
    text: int  # a version of the terms


def seed(devices: int, people: int) -> Seeded:
    from devices.models import Device
    from devices.services import broadcast
    from users.models import IdentityProvider, User

    search_rows.seed(devices, people)
    device = Device.objects.select_related("user").order_by("pk")[0]
    # whose page has a long list
    Device.objects.filter(pk__in=Device.objects.order_by("pk")[:MANY].values("pk")).update(user=device.user)
    admin = portal_people.administrators()
    portal_people.roles(people)
    channel = _enrollments(devices, device.pk)
    attempt = _attempts(devices, people, User.objects.get(user_id="user1").pk, channel)
    command = _commands(devices, channel)
    seeded = Seeded(
        device=device.uuid,
        person=device.user_id,
        admin=admin,
        attempt=attempt,
        command=command,
        configuration=portal_policies.configurations(devices, device.pk, channel, command),
        attribute=_attribute(device.pk),
        provider=IdentityProvider.objects.create(name="Corp", issuer="https://login.example", client_id="epmm").pk,
        export=_export(),
        run=_runs(devices, device.pk),
        people_run=portal_people.runs(people),
        directory=portal_people.directory(people),
        text=_texts(devices, attempt, device.user_id),
        **_webhook(devices),
        **_labels(devices, device.pk),
    )
    _audit(2 * devices, device)
    portal_people.of_one(device.user_id)
    portal_people.invitations(people)
    _of_one_device(device)
    portal_policies.declarations(channel)
    _settings()
    _twins(device.pk)
    broadcast.settle()  # as the worker does
    broadcast.tally()
    search_rows.tidy()
    return seeded


def _webhook(deliveries: int) -> dict[str, int]:
    from django.utils import timezone

    from epmm.models import Event, Webhook, WebhookDelivery

    webhook = Webhook.objects.create(name="SIEM", url="https://127.0.0.1/", secret=b"x", kinds=["command.finished"])
    told = {"device": None, "command": {"request_type": "DeviceInformation", "state": "ACKNOWLEDGED"}}
    for start in range(0, deliveries, AT_ONCE):
        number = min(AT_ONCE, deliveries - start)
        events = [
            Event(kind="command.finished", subject=f"channel:{n}", data=told, is_spread=True) for n in range(number)
        ]
        WebhookDelivery.objects.bulk_create(
            WebhookDelivery(
                webhook=webhook,
                event=event,
                subject=event.subject,
                state=WebhookDelivery.State.DEAD if place % 100 == 0 else WebhookDelivery.State.DELIVERED,
                done_at=timezone.now(),
                attempts=1,
                status=200,
                milliseconds=12,
            )
            for place, event in enumerate(Event.objects.bulk_create(events))
        )
    return {"webhook": webhook.pk, "delivery": webhook.deliveries.order_by("pk").values_list("pk", flat=True)[0]}


# --- Devices ----------------------------------------------------------------------------------------------------------


def _enrollments(count: int, first_device: int) -> int:
    """One for each device, with its channel and its certificate; the first channel."""
    from django.utils import timezone

    from devices.models import Channel, Enrollment, Identity
    from devices.services import push_topics
    from users.models import User

    nobody = User.objects.get(user_id="Template")
    now = timezone.now()
    enrollment = Enrollment.objects.create(
        user=nobody, kind="adde", state=Enrollment.State.ACTIVE, topic=push_topics.for_new_enrollments(), server_url="https://mdm.example/mdm",
        checkin_url="https://mdm.example/mdm", profile_identifier="bench", family="iPhone", access_rights=8191,
    )  # fmt: skip
    device = f"(n + {first_device - 1})"
    of_device = f"(SELECT d.{{}} FROM devices_device d WHERE d.id = {device})"  # noqa: S608 - ours
    udid = of_device.format("udid")
    copy(Enrollment, enrollment.pk, count, {
        "device": device, "user": of_device.format("user_id"), "kind": of_device.format("enrollment_type"),
        "udid": udid, "device_key": udid, "created_at": moment("n * 31 % 20000000"),
    })  # fmt: skip
    first = enrollment.pk + 1
    channel = Channel.objects.create(enrollment=enrollment)
    copy(Channel, channel.pk, count, {"enrollment": f"n + {first - 1}"})
    identity = Identity.objects.create(
        enrollment=enrollment, sha256=b"bench", serial_number="bench", der=b"", not_before=now,
        not_after=now + timedelta(days=300), state=Identity.State.CURRENT,
    )  # fmt: skip
    fingerprint = "sha256(convert_to('bench' || n, 'UTF8'))" if _on_postgresql() else "randomblob(32)"
    copy(Identity, identity.pk, count, {
        "enrollment": f"n + {first - 1}", "sha256": fingerprint, "serial_number": "'5eed' || n",
    })  # fmt: skip
    enrollment.delete()
    return channel.pk + 1


def _labels(devices: int, first_device: int) -> dict[str, int]:
    from devices.models import Label, LabelMember

    Label.objects.bulk_create(
        Label(name=f"Label {number:03}", description="Devices of one of many branches") for number in range(MANY)
    )
    small, large = Label.objects.filter(name__in=("Label 000", "Label 001")).order_by("name")
    for label, each in ((small, max(2, devices // MANY)), (large, 2)):
        member = LabelMember.objects.create(label=label, device_id=first_device)
        copy(LabelMember, member.pk, (devices - 1) // each, {"device": f"{first_device} + n * {each}"})
    return {"label": small.pk, "large_label": large.pk}


def _commands(devices: int, channel: int) -> int:
    """Open, answered, and finished ones, of broadcasts and of none; the open one of the first channel."""
    from django.utils import timezone

    from devices.models import Broadcast, Command, FinishedCommand, Payload, Result
    from devices.protocol.stamp import NOBODY
    from devices.services import archive
    from epmm.wire import plist

    now = timezone.now()
    archive.make_room(now)
    body = plist.dump({"CommandUUID": str(NOBODY), "Command": {"RequestType": "DeviceInformation"}})
    (payload,) = Payload.objects.of([body])
    broadcasts = Broadcast.objects.bulk_create(
        Broadcast(request_type="DeviceInformation", actor="admin", queued_at=now, queued=devices) for _ in range(MANY)
    )
    common: dict[str, Any] = {
        "channel_id": channel, "payload": payload, "request_type": "DeviceInformation", "created_at": now,
    }  # fmt: skip
    of_device = f"{channel} + n % {devices}"
    # every second belongs to one of the newest four, which still run
    broadcast = f"CASE WHEN n % 2 = 0 THEN {broadcasts[-1].pk} - n / 2 % 4 END"
    copied = {"uuid": new_uuid(), "channel": of_device, "broadcast": broadcast}
    # numbered as they are given out: what is finished came before what is answered, and that before what is open
    archived = 2 * devices
    finished = FinishedCommand.objects.create(id=0, state=Command.State.ACKNOWLEDGED, done_at=now, **common)
    copy(FinishedCommand, 0, archived, copied | {"id": "n", "state": "CASE WHEN n % 7 = 0 THEN 4 ELSE 3 END"})
    copy(FinishedCommand, 0, MANY, {"id": f"{archived} + n", "uuid": new_uuid()})
    finished.delete()
    answered = Result.objects.create(id=0, state=Command.State.ACKNOWLEDGED, body=b"<plist/>", **common)
    copy(Result, 0, MANY, copied | {"id": f"{archived + MANY} + n"})
    answered.delete()
    command = Command.objects.create(id=archived + 2 * MANY + 1, **common)
    copied |= {"id": f"{command.pk} + n", "state": "n % 3", "created_at": moment("n % 90000")}
    copy(Command, command.pk, max(MANY, devices // 4), copied)
    return command.pk


def _of_one_device(device: Any) -> None:
    """Its tabs are full."""
    from devices import models

    names = [f"com.example.application{number}" for number in range(MANY)]
    models.InstalledApplication.objects.bulk_create(
        models.InstalledApplication(device=device, identifier=name, name="An Application", short_version="12.4.1")
        for name in names
    )
    models.ManagedApplication.objects.bulk_create(
        models.ManagedApplication(device=device, identifier=name, state="Managed") for name in names
    )
    models.InstalledCertificate.objects.bulk_create(
        models.InstalledCertificate(device=device, common_name=f"Certificate {number}", sha256="ab" * 32, der=b"",
                                    not_after=device.registered_at)
        for number in range(MANY)
    )  # fmt: skip


def _attribute(device: int) -> int:
    from devices.models import DeviceAttribute
    from users.models import CustomAttribute

    attribute = CustomAttribute.objects.create(subject="device", name="room", kind="text")
    DeviceAttribute.objects.create(device_id=device, attribute=attribute, text="B 214", folded="b 214")
    return attribute.pk


def _runs(devices: int, first_device: int) -> int:
    """Actions of the worker; the last has gone to half of the devices, one in ten of which it passed over."""
    from devices.models import ActionResult, ActionRun

    runs = ActionRun.objects.bulk_create(
        ActionRun(action="comment", values=b"{}", actor="admin", number=devices, done=devices // 2) for _ in range(MANY)
    )
    result = ActionResult.objects.create(run=runs[-1], device_id=first_device)
    state = f"CASE WHEN n > {devices // 2} THEN 0 WHEN n % 10 = 0 THEN 2 ELSE 1 END"
    copied = {"device": f"{first_device} + n", "state": state, "said": "'Saved'"}
    copy(ActionResult, result.pk, devices - 1, copied)
    return runs[-1].pk


def _twins(first_device: int) -> None:
    """Records beside which a younger one has their serial number."""
    from devices.models import Device
    from devices.services import duplicates

    older = Device.objects.filter(pk__range=(first_device + MANY, first_device + 2 * MANY)).order_by("pk")
    for device, serial in zip(
        older, Device.objects.order_by("-pk").values_list("serial_number", flat=True), strict=False
    ):
        Device.objects.filter(pk=device.pk).update(serial_number=serial)
    duplicates.look()


# --- Logs and texts ---------------------------------------------------------------------------------------------------


def _export() -> UUID:
    from epmm.models import AuditExport

    return AuditExport.objects.create(owner="admin", state=AuditExport.State.DONE).uuid


def _attempts(devices: int, people: int, person: int, channel: int) -> int:
    """One for each device in the last ninety days, one in eight of them failed; one with a long trace."""
    from devices.models import Channel
    from enrollment.models import Attempt, AttemptStep

    enrollment = Channel.objects.get(pk=channel).enrollment_id
    attempt = Attempt.objects.create(
        reference="bench", state="active", identifier="user1@corp1.example", domain="corp1.example", user_id=person,
        model_family="iPhone", product="iPhone17,1", os_version="18.6", kind="adde", address="192.0.2.7",
        enrollment_id=enrollment,
    )  # fmt: skip
    copy(Attempt, attempt.pk, devices, {
        "reference": "'bench' || n", "opened_at": moment("n * 7907 % 7776000"),
        "state": "CASE WHEN n % 8 = 0 THEN 'failed' WHEN n % 50 = 1 THEN 'abandoned' ELSE 'active' END",
        "identifier": "'user' || n || '@corp' || (n % 7) || '.example'", "domain": "'corp' || (n % 7) || '.example'",
        "last_code": "CASE WHEN n % 8 = 0 THEN 'E-' || (101 + n / 8 % 12) ELSE '' END",
        "user": f"{person} + n * 7 % {people}",
        "enrollment": f"{enrollment} + n - 1",
    })  # fmt: skip
    AttemptStep.objects.bulk_create(
        AttemptStep(attempt=attempt, step="profile", result="ok", details={"kind": "adde"}) for _ in range(STEPS)
    )
    return attempt.pk


def _audit(count: int, device: Any) -> None:
    from epmm.models import AuditEntry

    entry = AuditEntry.objects.create(
        actor="admin", action="bench", subject_type="device", subject="bench", status="Success", address="192.0.2.7",
        details={"request_type": "DeviceInformation", "uuid": str(device.uuid)},
    )  # fmt: skip
    copy(AuditEntry, entry.pk, count, {
        "at": moment("n * 7907 % 31536000"), "actor": "'admin' || (n % 90)",
        "action": ACTIONS, "subject": "'subject' || n",
        "status": "CASE WHEN n % 30 = 0 THEN 'Failed' ELSE 'Success' END",
    })  # fmt: skip
    copy(AuditEntry, entry.pk, MANY, {"subject": f"'{device.uuid}'", "action": "'device.command_sent'"})


def _texts(accepted: int, attempt: int, person: int) -> int:
    """Versions of both texts, the newest of which all have accepted, and one person again and again."""
    from enrollment.models import Acceptance, PolicyText
    from users.models import User

    for kind in PolicyText.Kind:
        texts = PolicyText.objects.bulk_create(
            PolicyText(kind=kind, version=number, language="en", text="A text. " * 100, text_sha256=f"{number:064}")
            for number in range(MANY)
        )
        nobody = User.objects.get(user_id="Template")
        acceptance = Acceptance.objects.create(user=nobody, policy=texts[-1], attempt_id=attempt)
        copy(Acceptance, acceptance.pk, accepted, {"attempt": f"{attempt} + n"})
        copy(Acceptance, acceptance.pk, MANY, {"user": str(person), "attempt": f"{attempt} + n"})
    return texts[-1].pk


def _settings() -> None:
    from epmm import settings_store

    domains = ["mdm.example.test", *(f"corp{number}.example" for number in range(19))]
    settings_store.change("enrollment.domains", ",".join(domains), actor="bench")


def _on_postgresql() -> bool:
    from django.db import connection

    return connection.vendor == "postgresql"
