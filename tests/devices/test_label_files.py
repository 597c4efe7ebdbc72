"""Labels from a file: what would become of each row, and what becomes of it."""

import gzip
import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from devices.models import Device, Label
from devices.services import label_files, label_members, labels
from epmm.imports import ImportRefused, Report
from epmm.models import AuditEntry
from epmm.row_files import Form, write
from tests.devices.search.fleet import fleet
from users.models import AdminRole

pytestmark = pytest.mark.django_db
OLD = '"common.os_version" < "18"'


@pytest.fixture(autouse=True)
def house() -> None:
    labels.create("Sales", description="=people", actor="test")
    labels.create("Old, indeed", criteria=OLD, actor="test")


def bring(content: str, **more: Any) -> Report[Any]:
    form = more.pop("form", Form.CSV)
    given: dict[str, Any] = {"dry_run": False, "actor_roles": AdminRole.values} | more
    return label_files.run(content, form, actor="admin", **given)


def exported(form: Form = Form.CSV) -> str:
    return "".join(write(label_files.rows(), form, label_files.COLUMNS))


@pytest.mark.parametrize("form", Form)
def test_what_was_exported_changes_nothing(form: Form) -> None:
    before, entries = exported(form), AuditEntry.objects.count()

    report = bring(before, form=form)
    assert (report.rows, report.unchanged, report.is_applied) == (Label.objects.count(), report.rows, True)
    assert (exported(form), AuditEntry.objects.count()) == (before, entries)


def test_labels_are_made_and_changed_after_a_look() -> None:
    content = 'name,description,kind,criteria\nSALES,All,manual,\nNew,,filter,"common.os_version > 17"\n'
    look = bring(content, dry_run=True)
    assert [(each.line, each.name, each.is_new, [f.name for f in each.fields]) for each in look.changes] == [
        (2, "Sales", False, ["description"]), (3, "New", True, ["kind", "criteria"]),
    ]  # fmt: skip
    assert not Label.objects.filter(name="New").exists()

    assert bring(content).is_applied
    assert labels.find("new").criteria == "common.os_version > 17"
    assert labels.find("sales").description == "All"
    actions = AuditEntry.objects.filter(actor="admin").order_by("action").values_list("action", "subject")
    assert list(actions) == [("label.changed", "Sales"), ("label.created", "New")]
    assert bring("name,criteria\nNew,common.os_version > 16\n").changed == 1
    assert labels.find("New").criteria == "common.os_version > 16"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name\nsales\nSALES\n", "stands in line 2"),
        ("name,devices\nSales,9b0da853-0000-0000-0000-f4b5457299cf\n", "There is no device 9b0da853-"),
        ("name,devices\nSales,x\n", "There is no device x."),
        ('name,devices\n"Old, indeed",x\n', "Criteria say which devices a filter label has."),
        ("name,kind\nSales,filter\n", "stays what it is"),
        ("name,kind\nX,other\n", "manual or filter"),
        ("name,kind\nX,filter\n", "criteria"),
        ("name,criteria\nSales,common.status = ACTIVE\n", "A manual label has no criteria."),
        ("name,kind,criteria\nX,filter,nonsense = \n", ""),
        (f"name\n{'x' * 300}\n", "1 to 255 characters"),
        ("name,description\nAll-Smartphones,x\n", "built in"),
    ],
)
def test_what_is_wrong_with_a_row_is_told(content: str, said: str) -> None:
    before = exported()
    Label.objects.get_or_create(name="All-Smartphones", defaults={"is_built_in": True})
    Label.objects.filter(name="All-Smartphones").update(is_built_in=True)

    report = bring(content)
    [fault] = report.faults
    assert (fault.line, said in fault.sentence, report.is_applied) == (len(content.splitlines()), True, False)
    assert set(before.splitlines()) <= set(exported().splitlines())


@pytest.mark.parametrize("form", Form)
def test_the_devices_of_a_manual_label_are_those_of_the_file(
    form: Form, django_assert_max_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_members, "SINGLE", 1)
    fleet(8)
    every = list(Device.objects.order_by("pk"))
    sales = labels.find("Sales")
    for device in every[:3]:
        labels.add(sales, device, actor="test")
    before = exported(form)
    labels.add(labels.create("Others", actor="test"), every[0], actor="test")

    def bring_devices(some: list[Device], **more: Any) -> Report[Any]:
        rows = [{"name": "Sales", "devices": tuple(str(each.uuid) for each in some)}]
        columns = [column for column in label_files.COLUMNS if column.name in rows[0]]
        content = "".join(write(rows, form, columns))  # type: ignore[arg-type] # of two kinds, as files have them
        return bring(content, form=form, **more)

    [change] = bring_devices(every[2:], dry_run=True).changes
    [field] = change.fields
    assert (field.name, len(field.before or ""), len(str(field.after).split())) == ("devices", 3, 6)  # type: ignore[arg-type] # a tuple
    assert members(sales) == {each.pk for each in every[:3]}
    [fault] = bring_devices(every[2:], actor_roles=[AdminRole.LABEL_MANAGE, AdminRole.LABEL_APPLY]).faults
    assert "Only who may view devices and apply labels" in fault.sentence
    with django_assert_max_num_queries(16):  # as many for a thousand
        assert bring_devices(every[2:]).is_applied
    assert members(sales) == {each.pk for each in every[2:]}
    entries = AuditEntry.objects.filter(actor="admin", subject="Sales").values_list("action", "details__device")
    assert sorted(entries) == [
        *sorted(("label.device_added", str(each.uuid)) for each in every[3:]),
        *sorted(("label.device_removed", str(each.uuid)) for each in every[:2]),
    ]
    assert bring("name,description\nSales,other\n").is_applied  # which says nothing of devices
    assert members(sales) == {each.pk for each in every[2:]}
    assert bring(before, form=form).is_applied
    assert members(sales) == {each.pk for each in every[:3]}
    assert bring("name,devices\nSales,\n").is_applied
    assert members(sales) == set()


def members(label: Label) -> set[int]:
    return set(label.members.values_list("device", flat=True))


def test_a_file_with_other_columns_is_not_read() -> None:
    with pytest.raises(ImportRefused, match="'owner'"):
        bring("name,owner\nSales,me\n")


def test_the_command_exports_and_imports(tmp_path: Any) -> None:
    out, told = io.StringIO(), io.StringIO()
    call_command("label", "export", stdout=out)
    assert "'=people" in out.getvalue()
    (file := tmp_path / "labels.csv").write_text(out.getvalue() + "More,,manual,,\r\n", newline="")
    call_command("label", "import", str(file), "--dry-run", stdout=told)
    assert "1 new, 0 changed" in told.getvalue()
    call_command("label", "import", str(file), stdout=told)
    assert Label.objects.filter(name="More").exists()


def test_the_command_fails_where_a_file_is_cut_off_or_a_row_was_refused(tmp_path: Any) -> None:
    content, told = b'name\nMore\n" "\n', io.StringIO()
    (file := tmp_path / "labels.csv").write_bytes(gzip.compress(content)[:-4])
    with pytest.raises(CommandError, match="not whole"):
        call_command("label", "import", str(file))
    file.write_bytes(content)
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("label", "import", str(file), "--dry-run", stdout=told, stderr=told)
    assert not Label.objects.filter(name="More").exists()
    assert "1 new, 0 changed, 0 as they were, 1 refused." in told.getvalue()
