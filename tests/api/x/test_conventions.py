"""Our own API: problem details, cursors, keys of calls, states of rows, limits."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from epmm.models import AuditEntry
from epmm.rate_limit import Buckets
from tests import factories
from tests.api.conftest import Script, basic, make_caller
from tests.api.x.conftest import X, problem
from users.api import throttling
from users.errors import CallUnderWay
from users.models import AdminRole, IdempotentCall, User
from users.services import idempotency, people
from users.services.idempotency import Call

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "Idempotency-Key"
NEW = {"user_id": "mia", "first_name": "Mia", "email": "mia@example.com"}


@pytest.mark.parametrize(("where", "status"), [("users", 401), ("", 401), ("nothing", 401), ("no%0athing", 401)])
def test_strangers_get_problem_details(transactional_db: None, where: str, status: int) -> None:
    response = Script(None, base=X).ask("GET", where)

    problem(response, status)
    assert response["WWW-Authenticate"].startswith("Basic realm=")


def test_wrong_addresses_and_methods_are_told(script: Script) -> None:
    for nowhere in ("nothing", "no%0athing", "users/%0a"):
        problem(script.ask("GET", nowhere), 404)
    problem(script.ask("GET", ""), 404)
    problem(script.ask("PUT", "users"), 405)


def test_pages_lead_to_each_other(script: Script) -> None:
    for number in range(5):
        factories.user(f"anna{number}")

    where, seen = "users?limit=2&q=anna&sort=-user_id", []
    while where:
        response = script.ask("GET", where)
        page = response.json()
        assert response.headers.get("Link") == (f'<{page["next"]}>; rel="next"' if page["next"] else None)
        seen += [user["user_id"] for user in page["items"]]
        where = page["next"]
    assert seen == ["anna4", "anna3", "anna2", "anna1", "anna0"]


def test_a_cursor_holds_for_one_list_in_one_order(script: Script) -> None:
    for number in range(3):
        factories.user(f"anna{number}")
    cursor = script.get("users?limit=2&sort=user_id")["next"].partition("cursor=")[2]

    assert len(script.get(f"users?limit=2&sort=user_id&cursor={cursor}")["items"]) == 2
    for other in ("users?sort=-user_id", "users?sort=email", "labels?limit=2", "devices?limit=2"):
        problem(script.ask("GET", f"{other}&cursor={cursor}"), 400)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("adminDeviceSpaceId=x", "adminDeviceSpaceId"),
        ("limit=0", "limit"), ("limit=x", "limit"), ("cursor=x", "cursor"), ("sort=password", "sort"),
        ("nonsense=1", "nonsense"), ("q=%00", "q"), ("source=everywhere", "source"),
    ],
)  # fmt: skip
def test_wrong_parameters_are_named(script: Script, query: str, parameter: str) -> None:
    told = problem(script.ask("GET", f"users?{query}"), 400)

    assert [each["parameter"] for each in told["errors"]] == [parameter]


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"user_id": ""}, ["#/user_id"]),
        ({"user_id": 7}, ["#/user_id"]),
        ({"first_name": "x" * 151}, ["#/first_name"]),
        ({"nonsense": 1, "a/b~": 2}, ["#/a~1b~0", "#/nonsense"]),
        ({"must_change_password": "no"}, ["#/must_change_password"]),
        ({"last_name": "\0"}, ["#/last_name"]),
        ({"last_name": "\ud800"}, ["#/last_name"]),
    ],
    ids=str,
)
def test_wrong_fields_are_pointed_at_and_change_nothing(script: Script, change: Any, pointers: list[str]) -> None:
    told = problem(script.ask("POST", "users", NEW | change), 422)

    assert [each["pointer"] for each in told["errors"]] == pointers
    assert not User.objects.filter(user_id="mia").exists()


@pytest.mark.parametrize("body", [b"{", b"[]", b"user_id=mia", b"\xff", b'{"user_id": NaN}', b'{"user_id": 1e999}'])
def test_what_is_no_object_of_json_is_refused(script: Script, body: bytes) -> None:
    problem(script.ask("POST", "users", body, content_type="application/x-www-form-urlencoded"), 400)


def test_what_a_service_refuses_is_told_in_its_words(script: Script) -> None:
    told = problem(script.ask("POST", "users", NEW | {"user_id": "no spaces"}), 422)

    assert "without spaces" in told["detail"]


def test_a_row_is_edited_by_whoever_has_read_it(script: Script) -> None:
    made = script.ask("POST", "users", NEW)
    assert made.status_code == 201
    where = made["Location"]
    assert made["ETag"] == script.ask("GET", where)["ETag"]

    assert problem(script.ask("PATCH", where, {"last_name": "Ito"}), 428)
    changed = script.ask("PATCH", where, {"last_name": "Ito"}, **{"If-Match": made["ETag"]})
    assert changed.status_code == 200
    assert changed.json()["display_name"] == "Mia Ito"
    late = script.ask("PATCH", where, {"last_name": "Other"}, **{"If-Match": made["ETag"]})
    problem(late, 412)
    assert late["ETag"] == changed["ETag"]
    problem(script.ask("PATCH", where, {"last_name": "Other"}, **{"If-Match": f"W/{changed['ETag']}"}), 412)
    listed = {"If-Match": f'"other", {changed["ETag"]}'}
    assert script.ask("PATCH", where, {"last_name": "Other"}, **listed).status_code == 200
    assert script.ask("DELETE", where, **{"If-Match": "*"}).status_code == 204
    problem(script.ask("GET", where), 404)


def test_a_call_that_is_sent_again_is_answered_as_the_first_time(script: Script) -> None:
    first = script.ask("POST", "users", NEW, **{KEY: '"one"'})
    again = script.ask("POST", "users", NEW, **{KEY: "one"})

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert (first["ETag"], first["Location"]) == (again["ETag"], again["Location"])
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert AuditEntry.objects.filter(action="user.created").count() == 1
    problem(script.ask("POST", "users", NEW | {"user_id": "ben"}, **{KEY: "one"}), 422)
    problem(script.ask("POST", "users?adminDeviceSpaceId=1", NEW, **{KEY: "one"}), 422)
    # of another caller it is another key
    make_caller("other")
    other = Script(basic("other"), base=X)
    assert other.ask("POST", "users", {"user_id": "ben"}, **{KEY: "one"}).status_code == 201


def test_a_key_of_a_call_that_failed_may_be_used_again(script: Script) -> None:
    problem(script.ask("POST", "users", {"user_id": "script"}, **{KEY: "one"}), 422)
    assert not IdempotentCall.objects.exists()

    assert script.ask("POST", "users", NEW, **{KEY: "one"}).status_code == 201


def test_a_key_ends_after_a_day(script: Script) -> None:
    script.ask("POST", "users", NEW, **{KEY: "one"})
    IdempotentCall.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))

    problem(script.ask("POST", "users", NEW, **{KEY: "one"}), 422)  # as a new call: the user ID is taken
    idempotency.forget()
    assert not IdempotentCall.objects.exists()


@pytest.mark.parametrize("key", ["", "x" * 256, '"', "a b", "\xe9"])
def test_keys_are_short_and_plain(script: Script, key: str) -> None:
    problem(script.ask("POST", "users", NEW, **{KEY: key}), 400)


def test_an_answer_is_kept_sealed(script: Script) -> None:
    script.ask("POST", "users", NEW, **{KEY: "one"})

    raw = IdempotentCall.objects.extra(select={"raw": "answer"}).values_list("raw", flat=True).get()
    assert b"user_id" not in bytes(raw)  # long enough to be none of the random bytes


def test_of_two_at_once_one_is_carried_out(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    add = people.add

    def slowly(*arguments: Any, **named: Any) -> User:
        begun.set()
        assert go_on.wait(60)
        return add(*arguments, **named)

    monkeypatch.setattr(people, "add", slowly)
    answers: list[Any] = []

    def call() -> None:
        answers.append(Script(basic("script"), base=X).ask("POST", "users", NEW, **{KEY: "one"}))
        connection.close()

    first = threading.Thread(target=call)
    first.start()
    assert begun.wait(60)
    with pytest.raises(CallUnderWay):
        idempotency.once(Call.of(people.by_user_id("script"), "one"), lambda: None, lambda _: pytest.fail("twice"))
    go_on.set()
    first.join(60)
    assert [answer.status_code for answer in answers] == [201]
    assert script.ask("POST", "users", NEW, **{KEY: "one"})["Idempotency-Replayed"] == "true"


def test_limits_are_told_with_each_answer(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    assert script.ask("GET", "users")["RateLimit-Policy"] == '"calls";q=2000;w=20'

    buckets = Buckets(per_second=0.001, burst=2)
    monkeypatch.setattr(throttling, "calls", lambda: buckets)
    answers = [script.ask("GET", "users") for _ in range(3)]
    assert [answer["RateLimit"].partition(";t=")[0] for answer in answers] == [
        '"calls";r=1', '"calls";r=0', '"calls";r=0'
    ]  # fmt: skip
    problem(answers[2], 429)
    assert answers[2]["Retry-After"] == "1"


def test_a_list_costs_the_same_however_long_it_is(script: Script, django_assert_max_num_queries: Any) -> None:
    for number in range(12):
        factories.user(f"anna{number}")

    script.get("users?limit=1")
    with django_assert_max_num_queries(6):  # four of any call, the rows with and without what they are sorted by
        assert len(script.get("users")["items"]) == 13


def test_who_may_look_changes_nothing(transactional_db: None) -> None:
    make_caller("viewer", [AdminRole.API, AdminRole.USER_VIEW])
    viewer = Script(basic("viewer"), base=X)
    assert viewer.ask("GET", "users").status_code == 200

    problem(viewer.ask("POST", "users", NEW), 403)
    assert not User.objects.filter(user_id="mia").exists()


def test_administrators_are_changed_by_who_may_appoint_them(script: Script) -> None:
    make_caller("manager", [AdminRole.API, AdminRole.USER_MANAGE, AdminRole.USER_VIEW])
    manager = Script(basic("manager"), base=X)
    admin = people.by_user_id("script")

    problem(manager.ask("POST", f"users/{admin.uuid}/disable"), 422)
    problem(script.ask("POST", f"users/{admin.uuid}/disable"), 422)  # nobody their own
    other = people.by_user_id("manager")
    assert script.ask("POST", f"users/{other.uuid}/disable").json()["enabled"] is False
    assert manager.ask("GET", "users").status_code == 401
    assert script.ask("POST", f"users/{other.uuid}/enable").json()["enabled"] is True


def test_the_document_is_open_to_callers_and_whole(script: Script) -> None:
    document = json.loads(script.ask("GET", "openapi.json").content)

    assert document["openapi"] == "3.1.1"
    assert {"/api/v2/ping", "/api/v2/x/users"} <= document["paths"].keys()
