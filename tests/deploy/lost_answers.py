"""Calls with an Idempotency-Key that are sent again, to another process: each is done once, whatever died meanwhile."""

import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import httpx2
import psycopg

from tests.deploy.production import Production
from tests.epmm.processes import eventually

CALLER: Final = """
from users.models import AdminRole
from users.services import administrators, api_tokens, people
roles = {AdminRole.USER_VIEW, AdminRole.USER_MANAGE}
person = people.create(people.NewPerson(user_id="script"), actor="test")
administrators.set_roles(person, {AdminRole.API, *roles}, actor="test")
print(api_tokens.create(person, name="script", scopes=roles, days=1, actor="test")[1])
"""
# Not ended, it keeps everybody else from keeping an answer under this key: their calls stop when all is done.
SAME_KEY: Final = """
INSERT INTO users_idempotentcall (user_id, key, request_sha256, status, answer, created_at)
SELECT id, %s, '', 200, '', now() FROM users_user WHERE user_id = 'script'
"""
STOPPED: Final = "SELECT count(*) FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid"
UNDER_WAY: Final = "urn:problem-type:epmm:call.under.way"


class Script:
    def __init__(self, machine: Production) -> None:
        self._machine = machine
        self._headers = {"Authorization": f"Bearer {machine.python(CALLER).strip()}"}

    def add(self, door: str, name: str) -> httpx2.Response:
        headers = self._headers | {"Idempotency-Key": name}
        return self._machine.ask(door, "POST", "/api/v2/x/users", json={"user_id": name}, headers=headers)

    def added(self, name: str) -> int:
        answer = self._machine.ask("web-2", "GET", f"/api/v2/x/users?user_id={name}", headers=self._headers)
        return len(answer.json()["items"])

    @contextmanager
    def stopped(self, url: str, door: str, name: str) -> Iterator["Future[httpx2.Response]"]:
        """The call has done all it is for, and is about to keep its answer; it goes on when this ends."""
        with ThreadPoolExecutor(1) as pool, psycopg.connect(url, prepare_threshold=None) as session:
            session.execute(SAME_KEY, [name])
            call = pool.submit(self.add, door, name)
            eventually(lambda: session.execute(STOPPED).fetchone() == (1,))
            yield call
            session.rollback()


def a_call_is_done_once(machine: Production, url: str) -> None:
    script = Script(machine)
    first = script.add("web-1", "lost")
    assert machine.stop("web-1", signal.SIGKILL) == -signal.SIGKILL  # before anybody has read the answer
    same(first, script.add("web-2", "lost"))
    machine.start("web-1")

    with script.stopped(url, "web-1", "both") as first_call:
        refused = script.add("web-2", "both")
        assert (refused.status_code, refused.json()["type"]) == (409, UNDER_WAY)
    same(first_call.result(), script.add("web-2", "both"))

    with script.stopped(url, "web-1", "killed") as call:
        machine.stop("web-1", signal.SIGKILL)
    assert isinstance(call.exception(), httpx2.TransportError)
    assert script.added("killed") == 0
    tries = (script.add("web-2", "killed") for _ in range(1000))  # until the database knows that it is dead
    again = next(answer for answer in tries if answer.status_code != 409)
    assert (again.status_code, "Idempotency-Replayed" in again.headers) == (201, False)
    assert [script.added(name) for name in ("lost", "both", "killed")] == [1, 1, 1]
    machine.start("web-1")


def same(first: httpx2.Response, again: httpx2.Response) -> None:
    assert (first.status_code, again.status_code) == (201, 201)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.content, again.headers["ETag"]) == (first.content, first.headers["ETag"])
