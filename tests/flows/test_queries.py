"""How many statements each step of an enrollment costs, and that no step costs more in a large installation."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx2
import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from devices.models import Channel, Command, Device, Enrollment, Payload
from enrollment.models import Attempt
from epmm import settings_store
from tests.flows.house import PASSWORD, House, opened, person
from tests.flows.persistence import essence
from users.models import Role, RoleGrant, User

# Statements of a step at most, transactions and savepoints left out.  Each includes the reading of the settings, which
# a busy server does once a second.
MOST: Final = {
    "GET /.well-known/com.apple.remotemanagement": 7,
    "POST /enroll/adde": 5,
    "GET sign-in": 4,
    "POST sign-in": 35,
    "POST /enroll/adde with bearer": 21,
    "GET /scep GetCACaps": 0,
    "GET /scep GetCACert": 0,
    "POST /scep PKIOperation": 14,
    "Authenticate": 18,
    "TokenUpdate": 25,
    "CheckOut": 19,
}
STATEMENTS: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")


class Counting(httpx2.BaseTransport):
    """Counts what the server's threads ask of the database."""

    house: House  # opened while this is watching

    def __init__(self) -> None:
        self._found: Counter[str] = Counter()
        self._name: str | None = None

    def enroll(self) -> dict[str, int]:
        self._found.clear()
        device = self.house.device(transport=self)
        device.enroll(password=PASSWORD)
        device.check_out()
        return dict(self._found)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        settings_store.clear_cache()
        self._name = _step(essence(request))
        self._found[self._name] = 0
        try:
            return self.house.transport.handle_request(request)
        finally:
            self._name = None

    def note(self, execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        is_servers = threading.current_thread() is not threading.main_thread()
        if is_servers and self._name is not None and sql.lstrip().startswith(STATEMENTS):
            self._found[self._name] += 1
        return execute(sql, *arguments)

    @contextmanager
    def watching(self) -> Iterator[None]:
        connections: list[BaseDatabaseWrapper] = []

        def watch(connection: BaseDatabaseWrapper, **_: object) -> None:
            if connection not in connections:
                connection.execute_wrappers.append(self.note)
                connections.append(connection)

        connection_created.connect(watch)
        try:
            yield
        finally:
            connection_created.disconnect(watch)
            for connection in connections:
                connection.execute_wrappers.remove(self.note)


def _step(name: str) -> str:
    """By the kind of enrollment alone, without the reference in the address."""
    return " ".join(re.sub(r"(/enroll/adde)/\S+", r"\1", name).replace(" -", "").split())


@pytest.fixture
def counting(transactional_db: None) -> Iterator[Counting]:
    made = Counting()
    with made.watching(), opened() as house:
        made.house = house
        yield made


def crowd(size: int) -> None:
    """So many people, each with a managed device, its history and its trace."""
    numbers = range(User.objects.count(), size)
    people = User.objects.bulk_create(
        User(user_id=f"person{number}", managed_apple_account=f"person{number}@mdm.example.test") for number in numbers
    )
    RoleGrant.objects.bulk_create(RoleGrant(user=each, key=Role.ADDE, granted_by="test") for each in people)
    devices = Device.objects.bulk_create(
        Device(user=each, status=Device.Status.ACTIVE, mdm_managed=True, udid=each.user_id) for each in people
    )
    kind, state = Enrollment.Kind.ADDE, Enrollment.State.ACTIVE
    enrollments = Enrollment.objects.bulk_create(
        Enrollment(user=each.user, device=each, kind=kind, state=state, udid=each.udid, device_key=each.udid)
        for each in devices
    )
    Attempt.objects.bulk_create(
        Attempt(reference=each.udid, user=each.user, enrollment=each, state=Attempt.State.ACTIVE)
        for each in enrollments
    )
    channels = Channel.objects.bulk_create(Channel(enrollment=each) for each in enrollments)
    (payload,) = Payload.objects.of([b"ProfileList"])
    Command.objects.bulk_create(Command(channel=each, request_type="ProfileList", payload=payload) for each in channels)
    strangers = min(size // 3, 100)
    Attempt.objects.bulk_create(Attempt(reference=f"stranger{number}") for number in range(strangers))


def test_each_step_costs_what_it_did_and_never_more_in_a_large_installation(counting: Counting) -> None:
    person()
    crowd(3)
    counting.enroll()  # the first one finds nothing prepared for its inventory
    few = counting.enroll()
    Attempt.objects.filter(reference__startswith="stranger").delete()
    crowd(300)
    many = counting.enroll()

    assert User.objects.count() == 300
    assert few == many
    assert few.keys() == MOST.keys()
    assert {name: count for name, count in many.items() if count > MOST[name]} == {}
