"""People and labels as files, brought in and taken out by scripts."""

import gzip
import json
from typing import Any

import pytest

from devices.models import Device, LabelMember
from devices.services import label_files, label_members, labels
from epmm import row_files
from tests.api.conftest import Script, basic, make_caller
from tests.api.x.conftest import X, problem
from tests.devices.search.fleet import fleet
from users.models import AdminRole, User

pytestmark = pytest.mark.django_db(transaction=True)
FILE = "user_id,last_name\nmia,Ito\nben,Li\n"


def given(content: str = FILE, **more: Any) -> dict[str, Any]:
    return {"content": content, **more}


def test_a_dry_run_tells_and_an_import_does(script: Script) -> None:
    told = script.ask("POST", "imports/users", given(dry_run=True), **{"Idempotency-Key": "once"}).json()
    assert (told["applied"], told["created"], len(told["changes"]), User.objects.count()) == (False, 2, 2, 1)
    assert told["changes"][0] == {
        "line": 2,
        "name": "mia",
        "new": True,
        "values": [
            {"name": "last_name", "before": None, "after": "Ito"},
            {"name": "roles", "before": None, "after": ["portal"]},
        ],
    }

    done = script.ask("POST", "imports/users", given(), **{"Idempotency-Key": "once"}).json()
    assert (done["applied"], done["created"], done["changes"]) == (True, 2, [])
    again = script.ask("POST", "imports/users", given(), **{"Idempotency-Key": "once"})
    assert (again["Idempotency-Replayed"], again.json()) == ("true", done)
    assert script.ask("POST", "imports/users", given()).json()["unchanged"] == 2


def test_rows_that_are_wrong_are_named_and_change_nothing(script: Script) -> None:
    content = f"{FILE}no spaces,X\n"
    told = problem(script.ask("POST", "imports/users", given(content)), 422)
    assert [(each["pointer"], each["detail"][:8]) for each in told["errors"]] == [("#/content", "Line 4: ")]
    assert User.objects.count() == 1
    problem(script.ask("POST", "imports/users", given("phone\n1\n")), 422)

    done = script.ask("POST", "imports/users", given(content, partial=True)).json()
    assert (done["created"], [fault["line"] for fault in done["faults"]]) == (2, [4])


def test_a_long_file_comes_packed_and_no_longer_than_it_may(script: Script) -> None:
    content = "user_id,last_name\n" + "".join(f"u{n},Somebody with a long name\n" for n in range(9000))
    raw = json.dumps(given(content, dry_run=True)).encode()
    assert script.ask("POST", "imports/users", raw).json()["created"] == 9000
    packed = {"Content-Encoding": "gzip"}
    assert script.ask("POST", "imports/users", gzip.compress(raw), **packed).json()["created"] == 9000
    problem(script.ask("POST", "imports/users", raw, **packed), 400)
    told = problem(script.ask("POST", "imports/users", gzip.compress(raw)[:-8], **packed), 400)
    assert "not whole" in told["detail"]
    nested = b'{"content": [' + b"[]," * row_files.NESTED + b"1]}"
    problem(script.ask("POST", "imports/users", gzip.compress(nested), **packed), 400)
    problem(script.ask("POST", "imports/users", gzip.compress(bytes(20 << 20)), **packed), 413)
    problem(script.ask("POST", "imports/users", bytes(2 << 20)), 413)


def test_who_may_not_change_people_imports_none(script: Script) -> None:
    make_caller("viewer", [AdminRole.API, AdminRole.USER_VIEW])
    make_caller("helper", [AdminRole.API, AdminRole.USER_VIEW, AdminRole.USER_MANAGE])
    problem(Script(basic("viewer"), base=X).ask("POST", "imports/users", given(dry_run=True)), 403)
    helper = Script(basic("helper"), base=X)
    problem(helper.ask("POST", "imports/users", given("user_id,admin_roles\nhelper,admin.manage\n")), 422)
    assert helper.ask("POST", "imports/users", given()).status_code == 200


def test_what_is_exported_is_what_is_imported(script: Script, django_assert_max_num_queries: Any) -> None:
    script.ask("POST", "imports/users", given())
    script.get("exports/users?limit=1")
    with django_assert_max_num_queries(12):
        page = script.get("exports/users?limit=200")
    assert [each["user_id"] for each in page["items"]] == ["ben", "mia", "script"]

    report = script.ask("POST", "imports/users", given(json.dumps(page["items"]), format="json")).json()
    assert (report["unchanged"], report["changed"], report["created"]) == (3, 0, 0)


def test_labels_are_exported_in_a_stream_whoever_belongs_to_them(
    script: Script, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    fleet(9)
    every = list(Device.objects.order_by("pk"))
    made = [labels.create(name, actor="test") for name in ("Zürich", "Empty", "Basel")]
    old = labels.create("Old", criteria="common.os_version < 18", actor="test")
    for label, some in ((made[0], every), (made[2], every[2:4])):
        LabelMember.objects.bulk_create(LabelMember(label=label, device=device) for device in some)
    monkeypatch.setattr(label_members, "WALKED", 4)
    script.get("/api/v2/ping")

    with django_assert_max_num_queries(12):
        answer = script.ask("GET", "exports/labels?limit=200")
        page = json.loads(answer.getvalue())

    devices = {row["name"]: row["devices"] for row in page["items"]}
    assert [devices[label.name] for label in (*made, old)] == [
        [str(device.uuid) for device in some] for some in (every, [], every[2:4], [])
    ]
    assert (answer.streaming, page["next"]) == (True, None)
    assert [row["name"] for row in page["items"]] == [row["name"] for row in label_files.rows()]
    content = json.dumps(page["items"])
    report = script.ask("POST", "imports/labels", given(content, format="json")).json()
    assert (report["unchanged"], report["faults"]) == (len(page["items"]), [])

    first = json.loads(script.ask("GET", "exports/labels?limit=1").getvalue())
    assert len(first["items"]) == 1
    assert json.loads(script.ask("GET", first["next"]).getvalue())["items"][0] == page["items"][1]


def test_who_may_not_view_devices_is_told_none(script: Script) -> None:
    fleet(2)
    label = labels.create("Sales", actor="test")
    LabelMember.objects.bulk_create(LabelMember(label=label, device=device) for device in Device.objects.all())
    make_caller("keeper", [AdminRole.API, AdminRole.LABEL_VIEW, AdminRole.LABEL_MANAGE, AdminRole.LABEL_APPLY])
    keeper = Script(basic("keeper"), base=X)

    items = json.loads(keeper.ask("GET", "exports/labels").getvalue())["items"]
    assert {"name", "description", "kind", "criteria"} == set().union(*items)
    report = keeper.ask("POST", "imports/labels", given(json.dumps(items), format="json")).json()
    assert (report["unchanged"], label.members.count()) == (len(items), 2)
    look = keeper.ask("POST", "imports/labels", given("name,devices\nSales,\n", dry_run=True)).json()
    assert (look["changes"], len(look["faults"])) == ([], 1)
