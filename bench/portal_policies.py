"""What devices are to hold, and how far they have come: profiles, declarations."""

from typing import Any, Final

from bench.portal_people import MANY
from bench.search_rows import copy, moment

USERS: Final = 12  # of one Mac
EACH: Final = 20  # declarations of each
# Of a profile for everybody some failed, some wait, some have the command, some have lost it again.
FAILED: Final = "n % 50 = 0"
PENDING: Final = "n % 10 = 1"
STATE: Final = (
    f"CASE WHEN {FAILED} THEN 'FAILED' WHEN {PENDING} THEN 'PENDING' WHEN n % 20 = 2 THEN 'REVOKED' ELSE 'APPLIED' END"
)


def configurations(devices: int, first_device: int, channel: int, command: int) -> int:
    """Many on one device, one of them on all; that one.  Its commands are those of the queue, as far as there are."""
    from devices import models

    made = models.Configuration.objects.bulk_create(
        models.Configuration(identifier=f"example.configuration.{number}", name=f"Wi-Fi {number}", scope="System")
        for number in range(MANY)
    )
    deliveries = models.ConfigurationDelivery.objects.bulk_create(
        models.ConfigurationDelivery(channel_id=channel, configuration=each, state="APPLIED", due_at=None)
        for each in made
    )
    version = _version(made[0])
    installed = f"CASE WHEN {STATE} = 'APPLIED' THEN {version} END"
    refused = f"CASE WHEN {FAILED} THEN 'The profile holds a payload that this device does not take.' ELSE '' END"
    copied = {"channel": f"{channel} + n", "state": STATE, "wanted": str(version), "installed": installed}
    copied |= {"command_id": f"CASE WHEN {PENDING} THEN {command} + n END", "error_text": refused}
    copied |= {"changed_at": moment("n * 31 % 2000000")}
    copy(models.ConfigurationDelivery, deliveries[0].pk, devices - 1, copied)
    assignment = models.ConfigurationAssignment.objects.create(
        configuration=made[0], device_id=first_device, created_by="admin"
    )
    copied = {"device": f"{first_device} + n"}
    copy(models.ConfigurationAssignment, assignment.pk, max(MANY, devices // 10) - 1, copied)
    return made[0].pk


def _version(configuration: Any) -> int:
    version = configuration.versions.create(
        number=1, digest="0" * 64, content=b"", size=2048, profile_uuid="bench", payloads=[], is_signed=False,
        uploaded_by="admin",
    )  # fmt: skip
    configuration.current = version
    configuration.save()
    return int(version.pk)


def declarations(channel: int) -> None:
    """Of one device, and of the users that a Mac of many has."""
    from devices import models

    enrollment = models.Channel.objects.get(pk=channel).enrollment
    own = models.DeclarationSet(channel_id=channel, token="bench", served_token="bench")  # noqa: S106 - a hash
    users = models.Channel.objects.bulk_create(
        models.Channel(enrollment=enrollment, user_key=f"user{number}", user_short_name=f"person{number}")
        for number in range(USERS)
    )
    sets = [models.DeclarationSet(channel=each, token="users", served_token="users") for each in users]  # noqa: S106
    models.DeclarationSet.objects.bulk_create([own, *sets])
    for token, number in (("bench", MANY), ("users", EACH)):
        items = [["configuration", f"example.declaration.{each}", "0" * 64] for each in range(number)]
        models.Manifest.objects.create(token=token, items=items)
    models.ChannelStatus.objects.bulk_create(
        models.ChannelStatus(channel=each, items={"device.model.family": "Mac"}) for each in users
    )
    models.DeclarationState.objects.bulk_create(
        models.DeclarationState(
            channel=each, kind="configuration", identifier=f"example.declaration.{number}", server_token="0" * 64,
            valid="valid", active=True,
        )
        for each in users
        for number in range(EACH)
    )  # fmt: skip
