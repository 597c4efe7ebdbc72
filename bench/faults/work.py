"""What administrators and people do meanwhile: commands through the product's services, pages, whole enrollments."""

import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from itertools import count
from typing import Any, Final
from uuid import UUID

import httpx2

from bench.faults.installation import Installation
from bench.fleet_declared import NAME, TYPE
from bench.site import HOST
from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family, Hardware
from enrollment.simulator.identity import Authority, name_of, new_rsa_key
from enrollment.simulator.network import Network
from enrollment.simulator.refusal import DeviceRefused, NoAnswer, TurnedAway

PASSWORD: Final = "correct horse battery"  # noqa: S105 -- of a person who lives as long as the bench
REQUEST_TYPES: Final = ("DeviceInformation", "ProfileList", "CertificateList", "InstalledApplicationList")
PAUSE: Final = 0.5
CALLED_BACK: Final = 0.15  # of commands to single channels
BROADCASTS: Final = 0.02  # how likely another one begins in each pause
DECLARATIONS: Final = 0.1  # likewise, that one is changed
LONGEST: Final = 16  # characters of a passcode that Apple lets a server ask for
REGRET_SECONDS: Final = 0.4  # at most until then
SELECTION: Final = {"user__user_id": "bench"}
EVERYBODY: Final = {"search": "common.platform = iOS or common.platform = macOS"}
CONNECTS: Final = 1.0  # seconds between two of a newcomer's device
TRIES: Final = 100
UNAVAILABLE: Final = 500
_NUMBERS: Final = count()


def prepare() -> None:
    from django.core.management import call_command

    from devices.models import Channel
    from devices.services import declarative
    from epmm import settings_store
    from users.models import Role
    from users.services import people

    call_command("prepare", verbosity=0)
    settings_store.change("ios.mdm.account_driven_device_enrollment", "on", actor="bench")
    settings_store.change("devices.inventory_hours", "0", actor="bench")  # of its answers no books are kept
    account = f"anna@{HOST}"
    new = people.NewPerson(user_id="anna", roles=[Role.ADDE], managed_apple_account=account, password=PASSWORD)
    people.create(new, actor="bench")
    declarative.begin(list(Channel.objects.values_list("pk", flat=True)))


def broadcast() -> int:
    """Everybody is to tell of itself."""
    from devices.services import broadcast as service

    return service.begin("DeviceInformation", selection=SELECTION, actor="bench").pk


def declare(number: int) -> None:
    """Everybody is to have another passcode: of no two numbers the same.

    Who holds already what is declared again asks no further, and is not known to hold it before its next full report.
    """
    from devices.services import declaration_runs, declarations

    days, characters = divmod(number, LONGEST)
    wanted = {"MinimumLength": characters + 1, "MaximumPasscodeAgeInDays": days + 1}
    row = declarations.put(NAME, TYPE, wanted, actor="bench")
    declaration_runs.begin(row, selection=EVERYBODY, actor="bench")


@dataclass(slots=True)
class Ordered:
    """What was queued and is known to be: somebody was told so."""

    commands: set[UUID] = field(default_factory=set)
    # of those, which were called back: when that was confirmed; infinity: nobody knows whether it was done
    called_back: dict[UUID, float] = field(default_factory=dict)
    broadcasts: set[int] = field(default_factory=set)
    pages: int = 0  # that were answered
    failures: int = 0  # of orders, because the database was away


class Work:
    """Until `stop`; a database that is away is asked again."""

    def __init__(self, installation: Installation, chance: random.Random, *, per_second: float) -> None:
        self.ordered = Ordered()
        self._installation, self._chance = installation, chance
        self._each = max(1, round(per_second * PAUSE))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="work", daemon=True)
        self._thread.start()

    def stop(self) -> Ordered:
        self._stop.set()
        self._thread.join()
        return self.ordered

    def _run(self) -> None:
        from django.db import connections

        self._order(self._broadcast)
        self._order(self._declare)
        while not self._stop.wait(PAUSE):
            for _ in range(self._each):
                self._order(self._single)
            if self._chance.random() < BROADCASTS:
                self._order(self._broadcast)
            if self._chance.random() < DECLARATIONS:
                self._order(self._declare)
            self._look_at_a_page()
        connections.close_all()

    def _order(self, what: Callable[[], None]) -> None:
        from django.db import Error, close_old_connections

        try:
            what()
        except Error:
            self.ordered.failures += 1
            close_old_connections()
            self._stop.wait(PAUSE)

    def _broadcast(self) -> None:
        self.ordered.broadcasts.add(broadcast())

    def _declare(self) -> None:
        declare(next(_NUMBERS))

    def _single(self) -> None:
        from devices.models import Channel, Device
        from devices.services import send

        channels = Channel.objects.filter(enrollment__user__user_id="bench").order_by("pk")
        channel = channels[self._chance.randrange(channels.count())]
        device = Device.objects.get(enrollments__channels=channel)
        order = send.prepare(device, self._chance.choice(REQUEST_TYPES), user_key=channel.user_key)
        command = send.send(order, actor="bench")
        self.ordered.commands.add(command.uuid)
        if self._chance.random() < CALLED_BACK:
            self._stop.wait(self._chance.uniform(0, REGRET_SECONDS))
            self._call_back(device, command)

    def _call_back(self, device: Any, command: Any) -> None:
        from devices.services import cancelling
        from devices.services.queue import CommandRefused

        self.ordered.called_back[command.uuid] = math.inf
        try:
            cancelling.cancel(device, command.pk, actor="bench")
        except CommandRefused:  # it was answered before
            del self.ordered.called_back[command.uuid]
        else:
            self.ordered.called_back[command.uuid] = time.monotonic()

    def _look_at_a_page(self) -> None:
        path = self._chance.choice(("/healthz", "/.well-known/com.apple.remotemanagement?user-identifier=anna"))
        try:
            answer = httpx2.get(self._installation.front_url(path), timeout=20, trust_env=False)
            self.ordered.pages += answer.status_code < UNAVAILABLE
        except httpx2.HTTPError:
            pass


class Newcomer:
    """A person with a new device, who enrolls it: the device repeats each step until an answer comes.

    With `patience` the person begins anew so many times after a refusal: where clocks jump, a sign-in runs out.
    """

    def __init__(self, installation: Installation, number: int, *, patience: int = 0) -> None:
        self.device = _CROWD.device(installation, number)
        self._patience = patience
        self._enrolled, self._leave = threading.Event(), threading.Event()
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="newcomer", daemon=True)
        self._thread.start()

    @property
    def is_enrolled(self) -> bool:
        """Or never will be."""
        return self._enrolled.is_set()

    def leave(self) -> None:
        """The person signs out, and what was queued for the device meanwhile ends with that."""
        self._leave.set()
        self._thread.join()
        if self.error is None:
            _persistently(self.device.check_out)

    def _run(self) -> None:
        try:
            for left in reversed(range(self._patience + 1)):
                if self._enrolls(may_fail=left > 0):
                    break
            self._enrolled.set()
            while not self._leave.wait(CONNECTS):
                _persistently(self.device.connect)
        except Exception as error:  # noqa: BLE001 -- whatever stops it is the harness's to tell
            self.error = error
        finally:
            self._enrolled.set()

    def _enrolls(self, *, may_fail: bool) -> bool:
        self.device.forget()
        try:
            self._enroll()
        except DeviceRefused:
            if not may_fail:
                raise
            return False
        return True

    def _enroll(self) -> None:
        device = self.device
        steps: list[Callable[[], Any]] = [
            device.discover,
            device.request_challenge,
            lambda: device.sign_in(password=PASSWORD),
            device.fetch_profile,
            device.get_identity,
            device.authenticate,
        ]
        for step in steps:
            _persistently(step)
        for channel in device.membership.channels:
            _persistently(partial(device.token_update, channel))


def _persistently(step: Callable[[], Any]) -> None:
    """Attempts that nobody has looked at yet count as failed: who comes back then may be told to wait, and does."""
    for _ in range(TRIES):
        try:
            step()
        except DeviceRefused as refused:
            has_to_wait = isinstance(refused, TurnedAway) and refused.status == HTTPStatus.TOO_MANY_REQUESTS
            if not (has_to_wait or isinstance(refused, NoAnswer)):
                raise
            threading.Event().wait(PAUSE)
        else:
            return
    raise TimeoutError("it never went through")


class _Crowd:
    """Devices share one key and one maker: making keys would be most of what they do."""

    def __init__(self) -> None:
        self._key = new_rsa_key()
        self._maker = Authority.new(name_of("EPMM Laboratory Device CA"))

    def device(self, installation: Installation, number: int) -> SimulatedDevice:
        address = f"198.18.{number // 250 % 250}.{number % 250 + 1}"
        return SimulatedDevice(
            f"anna@{HOST}",
            hardware=Hardware.new(Family.IPHONE),
            network=Network(transport=_Proxy(installation, address)),
            maker=self._maker,
            ports={HOST: 8443},
            new_key=lambda: self._key,
        )


class _Proxy(httpx2.BaseTransport):
    """What stands in front of both doors; what it cannot pass on, and what they cannot do now, is no answer."""

    def __init__(self, installation: Installation, address: str) -> None:
        self._installation, self._address = installation, address

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        is_for_door = request.url.path.startswith("/mdm/")
        url = self._installation.door_url if is_for_door else self._installation.front_url
        to = httpx2.URL(url(request.url.raw_path.decode()))
        headers = {**request.headers, "X-Forwarded-For": self._address}
        with httpx2.HTTPTransport(trust_env=False) as transport:
            there = httpx2.Request(request.method, to, headers=headers, content=request.read())
            there.extensions = request.extensions
            answer = transport.handle_request(there)
            answer.read()
        if answer.status_code >= UNAVAILABLE:
            raise httpx2.ReadError(f"the server says {answer.status_code}")
        return answer


_CROWD: Final = _Crowd()
