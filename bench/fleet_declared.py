"""The rows of a fleet under declarative management, and how far a declaration that all of them get has come.

One of them is switched on by the product's own services; the others get the rows that this makes.
"""

from collections.abc import Iterator
from typing import Any, Final

from bench import holders
from bench.rows import chunks

NAME: Final = "passcode"
TYPE: Final = "com.apple.configuration.passcode.settings"
CAN: Final[dict[str, Any]] = {
    "supported-versions": ["1.0.0"],
    "supported-features": {},
    "supported-payloads": {
        "declarations": {
            "activations": ["com.apple.activation.simple"],
            "assets": [],
            "configurations": [TYPE, "com.apple.configuration.management.status-subscriptions"],
            "management": ["com.apple.management.organization-info", "com.apple.management.properties"],
        },
        "status-items": ["device.model.family", "device.operating-system.version", "passcode.is-compliant"],
    },
}
STATUS: Final[dict[str, Any]] = {
    "device": {"model": {"family": "iPhone"}, "operating-system": {"version": "17.0"}},
    "passcode": {"is-compliant": True},
}


def switch_on() -> bytes:
    """All hold what the server declares by itself, and have said so; the manifest of that."""
    from devices.models import Channel, ChannelStatus, DeclarationSet, DeclarationState, StatusReport
    from devices.services import declaration_status, declarative

    first, *others = Channel.objects.order_by("pk").select_related("enrollment__device")
    DeclarationSet.objects.create(channel=first, capabilities=CAN)
    declarative.tokens(first)
    manifest = declarative.manifest(first)
    told = {"declarations": holders.states(holders.manifest_of(manifest).items), "client-capabilities": CAN}
    declaration_status.accept(first, holders.report({**STATUS, "management": told}, full=True))
    declaration_status.read_reports()
    models: tuple[Any, ...] = (DeclarationSet, ChannelStatus, DeclarationState, StatusReport)
    for model in models:
        for some in chunks([channel.pk for channel in others]):
            model.objects.bulk_create(_copies(model, first.pk, some))
    return manifest


def _copies(model: Any, channel: int, others: list[int]) -> Iterator[Any]:
    for row in model.objects.filter(channel=channel):
        names = [field.attname for field in model._meta.concrete_fields if field.attname not in {"id", "channel_id"}]
        for other in others:
            yield model(channel_id=other, **{name: getattr(row, name) for name in names})


def applied() -> int:
    """Devices whose record says so."""
    from devices.models import DeclarationState

    valid = DeclarationState.objects.filter(identifier=NAME, active=True, valid=DeclarationState.Valid.VALID)
    return valid.values("channel").distinct().count()


def check(count: int) -> None:
    """Every record says that it applies, and no device was left behind."""
    from devices.models import DeclarationSet

    if (known := applied()) != count or DeclarationSet.objects.behind().exists():
        behind = DeclarationSet.objects.behind().count()
        raise SystemExit(f"{known} of {count} devices have applied the declaration, and {behind} are behind")


class Declaring:
    """A passcode for every iPhone, as an administrator assigns it; done is who has said that it applies."""

    check = staticmethod(check)

    def __init__(self) -> None:
        self.session = holders.Holders(switch_on()).session

    def begin(self) -> None:
        from devices.services import declaration_runs, declarations

        row = declarations.put(NAME, TYPE, {"MinimumLength": 6}, actor="bench")
        self._run = declaration_runs.begin(row, selection={"search": "common.platform = iOS"}, actor="bench")

    def look(self) -> tuple[int, str]:
        from devices.models import DeclarationSet

        self._run.refresh_from_db()
        if self._run.refused:
            raise SystemExit(f"refused: {self._run.refusals}")
        announced, done = DeclarationSet.objects.exclude(asked_at=None).count(), applied()
        return done, f"given {self._run.changed}, announced {announced}, applied {done}"
