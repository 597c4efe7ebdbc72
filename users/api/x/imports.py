"""People and their roles as a file: brought in, after a look at what would change, and taken out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.core.exceptions import RequestDataTooBig
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request

from epmm import row_files
from epmm.api.errors import ApiError, tells
from epmm.api.fields import Flag, Given, Told
from epmm.imports import ImportRefused, Report, Value
from epmm.portal.keyset import Order
from epmm.row_files import Form, TooLong
from users.api.x.base import Done, Listed
from users.models import User
from users.services import people_files, people_import
from users.services.idempotency import Answer

MOST_SENT: Final = 1 << 20  # as the front door has it
MOST_TOLD: Final = 1000  # faults of a refused import

tells(ImportRefused, 400, "request.refused")


class Content(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data  # with whatever a line has at its end; the file's reader says what is wrong with it


class NewImport(Given):
    example = {
        "format": "csv",
        "content": "user_id,last_name,roles\nmia,Ito,portal apple.adde\n",
        "dry_run": True,
    }
    format = serializers.ChoiceField([(each.value, each.value) for each in Form], default=Form.CSV.value)
    content = Content(
        help_text="The file: columns as an export has them, as many of them as there is something to say of."
    )
    dry_run = Flag(default=False, help_text="Tell every change, and make none.")
    partial = Flag(  # type: ignore[assignment] # serializers have a `partial` of their own, which is not asked here
        default=False, help_text="Where some rows are wrong, go on with the others."
    )


class FieldTold(Told):
    name = serializers.CharField()
    before = serializers.JSONField(help_text="Null of somebody new.")
    after = serializers.JSONField()


class ChangeTold(Told):
    line = serializers.IntegerField(help_text="Of CSV; in JSON the number of the object.")
    name = serializers.CharField()
    new = serializers.BooleanField(source="is_new")
    values = FieldTold(many=True, source="fields")  # a serializer has `fields` of its own


class FaultTold(Told):
    line = serializers.IntegerField()
    sentence = serializers.CharField()


class ImportTold(Told):
    example = {
        "applied": False,
        "rows": 1,
        "created": 0,
        "changed": 1,
        "unchanged": 0,
        "changes": [
            {"line": 2, "name": "mia", "new": False, "values": [{"name": "last_name", "before": "", "after": "Ito"}]}
        ],
        "faults": [],
    }
    applied = serializers.BooleanField(source="is_applied")
    rows = serializers.IntegerField()
    created = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    changes = ChangeTold(many=True, help_text="Of a dry run.")
    faults = FaultTold(many=True, help_text="Rows that are left out.")


class Imports(Done):
    """`run` is the service of what is brought in."""

    run: Callable[..., Report[Any]]
    takes = {"POST": NewImport}
    tells = {"POST": ImportTold}
    told_parameters = frozenset({"format", "dry_run", "partial"})

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        http = request._request
        http._body = _unpacked(http)  # noqa: SLF001 - longer than those of other calls

    def _key(self) -> str | None:
        """A look changes nothing; its long answer is not kept either."""
        return None if self.given["dry_run"] else super()._key()

    def perform(self, _prepared: None) -> Answer:
        given = self.given
        form = Form(given["format"])
        options = {"dry_run": given["dry_run"], "partial": given["partial"]}
        report = self.run(given["content"], form, actor=self.actor, actor_roles=self.roles, **options)
        if not report.is_applied and not given["dry_run"]:
            raise _refused(report)
        return self.answer(report)


class ImportUsers(Imports):
    says = {
        "POST": "Bring in users and their roles: all rows of a file, or none, or a look at what would become of them."
    }
    run = staticmethod(people_import.run)


def _refused(report: Report[Any]) -> ApiError:
    line = _("Line {n}: {sentence}")
    errors = [
        {"detail": line.format(n=fault.line, sentence=fault.sentence), "pointer": "#/content"}
        for fault in report.faults[:MOST_TOLD]
    ]
    sentence = _("Nothing was changed: {n} rows are not right.").format(n=len(report.faults))
    return ApiError(422, "import.refused", sentence, errors=errors)


def _unpacked(http: HttpRequest) -> bytes:
    """Raises ApiError, RequestDataTooBig."""
    sent = http.read(MOST_SENT + 1)
    if len(sent) > MOST_SENT:
        raise RequestDataTooBig
    if http.headers.get("Content-Encoding", "").strip().lower() != "gzip":
        return sent
    try:
        return row_files.unpacked(sent)
    except TooLong as error:
        raise RequestDataTooBig from error
    except ImportRefused as error:
        raise ApiError(400, "body.invalid", str(error)) from error


class ExportedUser(Told):
    """As a row of an import."""

    example = {
        "user_id": "mia",
        "first_name": "Mia",
        "last_name": "Ito",
        "display_name": "",
        "email": "mia@example.com",
        "managed_apple_account": "mia@example.com",
        "enabled": True,
        "roles": ["apple.adde", "portal"],
        "admin_roles": [],
    }
    user_id = serializers.CharField()
    first_name = serializers.CharField()
    last_name = serializers.CharField()
    display_name = serializers.CharField()
    email = serializers.CharField()
    managed_apple_account = serializers.CharField()
    enabled = serializers.BooleanField()
    roles = serializers.ListField(child=serializers.CharField(), help_text="Granted to this very person.")
    admin_roles = serializers.ListField(child=serializers.CharField())


class ExportedUsers(Listed[User]):
    says = {"GET": "Users with their roles, as an import takes them."}
    orders = {"": Order("user_id")}
    item = ExportedUser

    def rows(self) -> QuerySet[User]:
        return people_files.with_roles(User.objects.all())

    def told(self, rows: Sequence[User]) -> Sequence[Mapping[str, Value]]:
        return [people_files.told(user) for user in rows]
