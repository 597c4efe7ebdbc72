"""People and roles from a file: what would become of each row, and what becomes of it."""

import csv
import gzip
import io
import json
from secrets import token_hex
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from epmm import settings_store
from epmm.imports import ImportRefused, Report
from epmm.models import AuditEntry, Job
from epmm.row_files import Form, write
from tests import factories
from users.models import AdminRole, Directory, Group, GroupRole, Membership, PortalSession, Role, User
from users.services import administrators, people_files, people_import, roles

pytestmark = pytest.mark.django_db
DOMAIN = "corp.example.test"
ALL = frozenset(AdminRole.values)


@pytest.fixture(autouse=True)
def domain() -> Any:
    settings_store.change("enrollment.domains", DOMAIN, actor="test")
    yield
    settings_store.clear_cache()


def bring(content: str, *, dry_run: bool = False, roles: frozenset[str] = ALL, **more: Any) -> Report[Any]:
    form = Form.JSON if content.startswith("[") else Form.CSV
    return people_import.run(content, form, actor="admin", actor_roles=roles, dry_run=dry_run, **more)


def exported(form: Form = Form.CSV) -> str:
    return "".join(write(people_files.rows(), form, people_files.COLUMNS))


def row(name: str) -> dict[str, str]:
    return next(each for each in csv.DictReader(io.StringIO(exported())) if each["user_id"] == name)


def faults(report: Report[Any]) -> list[tuple[int, str]]:
    return [(fault.line, fault.sentence) for fault in report.faults]


@pytest.fixture
def house() -> User:
    admin = factories.user("admin", first_name="=Ada", last_name="'+Lovelace", email="ada@example.test")
    administrators.set_roles(admin, AdminRole.values, actor="test")
    mia = factories.user("mia", full_name='Mia, "the" Ito', managed_apple_account=f"mia@{DOMAIN}")
    roles.grant(mia, [Role.ADDE, Role.PORTAL_LOCK], actor="test")
    factories.user("ben", is_active=False)
    return mia


@pytest.mark.parametrize("form", Form)
def test_what_was_exported_changes_nothing(house: User, form: Form) -> None:
    before, entries = exported(form), AuditEntry.objects.count()

    report = bring(before)
    assert (report.rows, report.unchanged, report.faults, report.is_applied) == (3, 3, [], True)
    assert exported(form) == before
    assert AuditEntry.objects.count() == entries


def test_no_cell_of_an_export_is_a_formula(house: User) -> None:
    ada = row("admin")
    assert (ada["first_name"], ada["last_name"]) == ("'=Ada", "''+Lovelace")


def test_a_dry_run_tells_every_change_and_makes_none(house: User) -> None:
    content = (
        "user_id,last_name,roles,enabled\r\n"
        "MIA,Ito,portal apple.adde,true\r\n"
        "\r\n"
        "zoe,Zola,,no\r\n"
        'ben,"B\nX",portal,yes\r\n'
        "ada2,\r\n"
    )
    before = exported()

    told = bring(content, dry_run=True)
    assert exported() == before
    assert (told.rows, told.created, told.changed, told.is_applied) == (4, 1, 1, False)
    assert [(each.line, each.name, each.is_new) for each in told.changes] == [(2, "mia", False), (4, "zoe", True)]
    assert {each.name: (each.before, each.after) for each in told.changes[0].fields} == {
        "last_name": ("", "Ito"), "roles": (("apple.adde", "portal", "portal.lock"), ("apple.adde", "portal")),
    }  # fmt: skip
    assert {each.name: each.after for each in told.changes[1].fields} == {
        "last_name": "Zola", "roles": (), "enabled": False,
    }  # fmt: skip
    assert [line for line, _sentence in faults(told)] == [5, 7]


def test_all_or_nothing_unless_it_may_be_in_part(house: User) -> None:
    content = "user_id,email\nzoe,zoe@example.test\nben,ADA@example.test\nmia,mia@example.test\n"
    before = exported()

    refused = bring(content)
    assert (refused.is_applied, faults(refused)) == (False, [(3, "ada@example.test is that of admin.")])
    assert exported() == before
    assert bring(content, partial=True).is_applied
    assert (row("zoe")["email"], row("ben")["email"], row("mia")["email"]) == (
        "zoe@example.test", "", "mia@example.test",
    )  # fmt: skip
    assert row("zoe")["roles"] == "portal"
    assert not User.objects.get(user_id="zoe").has_usable_password()


def test_changes_are_what_they_are_on_the_page_of_one_person(house: User) -> None:
    PortalSession.objects.create(user=house, session_key="k", expire_date="2100-01-01T00:00:00Z")
    columns = "user_id,first_name,managed_apple_account,enabled,roles"
    bring(f"{columns}\nmia,Mía,MIA2@{DOMAIN},false,portal apple.adde portal.wipe\n")

    house.refresh_from_db()
    assert (house.first_name_folded, house.managed_apple_account, house.is_active) == ("mía", f"mia2@{DOMAIN}", False)
    assert house.granted_role_keys() == {"portal", "apple.adde", "portal.wipe"}
    assert not PortalSession.objects.exists()
    assert Job.objects.get(kind="devices.people_named").arguments == {"users": [house.pk]}
    entries = AuditEntry.objects.filter(actor="admin", subject="mia").order_by("action")
    assert {entry.action: entry.details for entry in entries} == {
        "roles.granted": {"before": ["apple.adde", "portal", "portal.lock"],
                          "after": ["apple.adde", "portal", "portal.lock", "portal.wipe"]},
        "roles.removed": {"before": ["apple.adde", "portal", "portal.lock", "portal.wipe"],
                          "after": ["apple.adde", "portal", "portal.wipe"]},
        "user.account_changed": {"from": f"mia@{DOMAIN}", "to": f"mia2@{DOMAIN}"},
        "user.changed": {"changed": ["first_name"]},
        "user.disabled": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("user_id\nno spaces\n", "A user ID consists"),
        ("user_id,email\nzoe,nonsense\n", "valid email"),
        ("user_id,first_name\nzoe,a\x01b\n", "control characters"),
        ("user_id\nzoe\nZOE\n", "stands in line 2"),
        ("user_id,roles\nzoe,portal nonsense\n", "There is no role nonsense."),
        ("user_id,roles\nzoe,portal.lock\n", "needs the role portal"),
        ("user_id,roles\nzoe,portal apple.adde\n", "Enter the Managed Apple Account"),
        ("user_id,managed_apple_account\nmia,\n", "Enter the Managed Apple Account"),
        ("user_id,managed_apple_account\nzoe,zoe@elsewhere.test\n", "does not belong to an enrollment domain"),
        (f"user_id,managed_apple_account\nzoe,mia@{DOMAIN}\n", "is that of mia"),
        (f"user_id,managed_apple_account\nmia,m@{DOMAIN}\nzoe,mia@{DOMAIN}\n", "is that of mia"),
        ("user_id,email\nzoe,z@example.test\nmia,Z@example.test\n", "is that of zoe"),
        ("user_id,enabled\nadmin,false\n", "Nobody disables their own account."),
        ("user_id,admin_roles\nadmin,\n", "Nobody else could appoint"),
        ("user_id,admin_roles\nzoe,nonsense\n", "There is no administrator role nonsense."),
        ("user_id,enabled\nzoe,perhaps\n", "enabled is true or false."),
        ("user_id,email\nzoe\n", "There are 1 cells"),
        ('[{"user_id": "zoe", "roles": [1]}]', "roles is words."),
        ('[{"user_id": "zoe"}, {"email": ""}]', "user_id is missing."),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_row_is_told_with_its_line(house: User, cells: str, said: str) -> None:
    before = exported()

    report = bring(cells)
    [(line, sentence)] = faults(report)
    assert said in sentence
    assert line == (len(cells.splitlines()) if cells.startswith("user_id") else report.rows)
    assert exported() == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("user_id,phone,e-mail\nmia,1,2\n", "'phone', 'e-mail'"),
        ("email\na@example.test\n", "The column user_id is missing."),
        ("", "The column user_id is missing."),
        ("user_id,user_id\nmia,mia\n", "twice"),
        ('user_id\n"mia" x\n', "Line 2 is no CSV."),
        ("[nonsense", "This is no JSON."),
        ("[1]", "The JSON is a list of objects."),
        ('[{"user_id": "mia", "phone": ""}]', "'phone'"),
    ],
)
def test_a_file_that_is_wrong_is_not_read(house: User, content: str, said: str) -> None:
    with pytest.raises(ImportRefused) as refused:
        bring(content)
    assert said in str(refused.value)


def test_spreadsheets_with_semicolons_are_read(house: User) -> None:
    assert bring("\ufeffuser_id;last_name\r\nmia;Ito\r\n").changed == 1
    assert row("mia")["last_name"] == "Ito"


def test_administrators_are_made_and_changed_by_who_may(house: User) -> None:
    may = ALL - {AdminRole.ADMIN_MANAGE}
    for content in (
        "user_id,admin_roles\nmia,api\n",
        "user_id,email\nadmin,x@example.test\n",
        "user_id,admin_roles\nzoe,api\n",
    ):
        assert len(bring(content, roles=may, dry_run=True).faults) == 1
    assert bring("user_id,admin_roles,last_name\nmia,,Ito\n", roles=may).is_applied

    assert bring("user_id,admin_roles\nmia,admin.manage api\nadmin,api\n").is_applied
    house.refresh_from_db()
    assert house.admin_role_keys() == {"admin.manage", "api"}
    assert User.objects.get(user_id="admin").admin_role_keys() == {"api"}
    assert bring("user_id,admin_roles\nadmin,\n").is_applied
    assert not User.objects.get(user_id="admin").is_admin


def test_directories_say_what_their_people_are_called_and_groups_hand_down(house: User) -> None:
    User.objects.filter(pk=house.pk).update(source=User.Source.LDAP)
    group = Group.objects.create(name="Sales", external_id="g", directory=Directory.objects.create(name="Example"))
    GroupRole.objects.create(group=group, key=Role.AAUE, granted_by="x")
    Membership.objects.create(group=group, user=house)

    assert "directory" in faults(bring("user_id,first_name\nmia,Mia\n"))[0][1]
    assert "Managed Apple Account" in faults(bring("user_id,roles,managed_apple_account\nmia,portal,\n"))[0][1]
    assert bring("user_id,roles\nmia,portal\n").is_applied


def test_many_rows_cost_as_many_statements_as_some(django_assert_max_num_queries: Any) -> None:
    def content(number: int, name: str) -> str:
        rows = "".join(f"u{n},{name},u{n}@{DOMAIN},u{n}@{DOMAIN},portal apple.adde\n" for n in range(number))
        return f"user_id,first_name,email,managed_apple_account,roles\n{rows}"

    with django_assert_max_num_queries(40):
        assert bring(content(400, "A")).created == 400
    with django_assert_max_num_queries(40):
        assert bring(content(400, "B")).changed == 400


def test_the_commands_export_and_import(house: User, tmp_path: Any) -> None:
    file, out = tmp_path / "people.csv", io.StringIO()
    call_command("people", "export", stdout=out)
    file.write_text(out.getvalue().replace("'=Ada", "Ada"), newline="")

    told = io.StringIO()
    call_command("people", "import", str(file), "--dry-run", stdout=told)
    assert "line 2: admin: first_name: =Ada -> Ada" in told.getvalue()
    assert "0 new, 1 changed, 2 as they were" in told.getvalue()
    assert row("admin")["first_name"] == "'=Ada"
    call_command("people", "import", str(file), stdout=told)
    assert row("admin")["first_name"] == "Ada"

    file.write_text(json.dumps([{"user_id": "a b"}]))
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("people", "import", str(file), "--format", "json", stdout=told, stderr=io.StringIO())
    with pytest.raises(CommandError, match="gone"):
        call_command("people", "import", str(tmp_path / "gone"))


def test_a_packed_file_that_is_cut_off_changes_nothing(house: User, tmp_path: Any) -> None:
    rows = "".join(f"u{n},{token_hex(8)}\n" for n in range(400))
    packed = gzip.compress(f"user_id,last_name\n{rows}".encode())
    (file := tmp_path / "people.csv.gz").write_bytes(packed[:3000])
    with pytest.raises(CommandError, match="not whole"):
        call_command("people", "import", str(file))
    assert User.objects.count() == 3

    file.write_bytes(packed + gzip.compress(b"last,Row\n"))  # as `cat` puts two packed files together
    call_command("people", "import", str(file), stdout=(told := io.StringIO()))
    assert "401 new" in told.getvalue()


@pytest.mark.parametrize(
    ("how", "said", "number"), [("--dry-run", "Nothing was changed", 3), ("--partial", "other rows are in place", 4)]
)
def test_the_command_fails_where_a_row_was_refused(
    house: User, tmp_path: Any, how: str, said: str, number: int
) -> None:
    (file := tmp_path / "people.csv").write_text("user_id\nzoe\na b\n")
    with pytest.raises(CommandError, match=said):
        call_command("people", "import", str(file), how, stdout=io.StringIO(), stderr=(told := io.StringIO()))
    assert told.getvalue().startswith("line 3: ")
    assert User.objects.count() == number
