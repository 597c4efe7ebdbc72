"""Actions: on one device at once; on many by the worker, watched and stopped."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from rest_framework import serializers

from devices.api.actions import hold_to_limit, refuse_hidden
from devices.api.x import chosen, orders
from devices.api.x.chosen import Targets
from devices.models import ActionResult, ActionRun
from devices.services import action_runs, actions, record_pages, search
from devices.services.actions import BY_KEY, Action, Order
from epmm import audit, masking
from epmm.api import problems
from epmm.api.errors import ApiError
from epmm.api.fields import Cursor, Given, Text, Told, Whole
from epmm.client_address import client_address
from epmm.numbers import grouped
from epmm.portal import keyset
from epmm.runs import NumberChanged
from users.api.base import LONGEST_REASON
from users.api.x.base import Done, Listed, One, found
from users.services.idempotency import Answer

STATES: Final = ("running", "done", "stopped", "refused")
RESULTS: Final = {state.name.lower(): state for state in ActionResult.State}


class _Ordering(Done):
    told_parameters = frozenset({"action", "label", "retired", "number", "note"})

    def action(self) -> Action:
        action = BY_KEY[self.given["action"]]
        self.require(action.role)
        refuse_hidden(action)
        return action

    def order(self, action: Action) -> Order:
        values = orders.values(action, self.given["values"])
        return Order(values=values, actor=self.actor, address=client_address(self.request._request))


class NewAction(Given):
    example: dict[str, Any] = {"action": "lock", "values": {"message": "Please call us."}, "note": "lost"}
    action = serializers.ChoiceField(list(BY_KEY))
    values = serializers.DictField(default=dict, help_text=orders.HELP)
    note = Text(max_length=LONGEST_REASON, allow_blank=True, default="", help_text="A reason, for the audit log.")


class ActionTold(Told):
    example = {"action": "lock", "said": "Queued"}
    action = serializers.CharField()
    said = serializers.CharField(help_text="For people.")


class OnDevice(_Ordering):
    says = {"POST": "Do something to one device; what speaks against it is told."}
    takes = {"POST": NewAction}
    tells = {"POST": ActionTold}

    def perform(self, _prepared: None) -> Answer:
        device, action = chosen.one(self.kwargs["uuid"]), self.action()
        with audit.noting(self.given["note"]):
            (outcome,) = actions.carry_out(action, actions.subjects([device]), self.order(action))
        if not outcome.is_done:
            raise ApiError(422, "action.refused", outcome.said)
        return self.answer({"action": action.key, "said": outcome.said})


# --- Many devices -----------------------------------------------------------------------------------------------------


class NewRun(NewAction, Targets):
    example = {"action": "lock", "values": {"message": "Please call us."}, "query": 'common.status = "LOST"'}
    number = Whole(
        required=False,
        min_value=0,
        max_value=2**31,
        help_text="To how many devices somebody agreed; needed by what destroys, where no devices are named.",
    )


class RunTold(Told):
    example = {
        "id": 12,
        "action": "lock",
        "state": "running",
        "number": 1200,
        "done": 340,
        "skipped": 2,
        "actor": "script",
        "refusal": "",
        "created_at": "2025-01-01T12:00:00Z",
        "stopped_at": None,
        "done_at": None,
    }
    id = serializers.IntegerField(source="pk")
    action = serializers.CharField()
    state = serializers.SerializerMethodField(help_text=", ".join(STATES))
    number = serializers.IntegerField(help_text="Of devices; who matches later is not meant.")
    done = serializers.IntegerField()
    skipped = serializers.IntegerField()
    actor = serializers.CharField()
    refusal = serializers.CharField(help_text="Why it came to nothing.")
    created_at = serializers.DateTimeField()
    stopped_at = serializers.DateTimeField(allow_null=True)
    done_at = serializers.DateTimeField(allow_null=True)

    def get_state(self, run: ActionRun) -> str:
        if run.refusal:
            return "refused"
        if run.stopped_at is not None:
            return "stopped"
        return "running" if run.is_running else "done"


def runs() -> QuerySet[ActionRun]:
    return ActionRun.objects.defer("values")


class Runs(Listed[ActionRun], _Ordering):
    says = {
        "GET": "Actions to many devices, the newest first.",
        "POST": "Do something to many devices: to those that match now, one after the other.",
    }
    orders = {"": keyset.Order("pk", is_descending=True)}
    item = RunTold
    takes = {"POST": NewRun}
    tells = {"POST": RunTold}
    status = {"POST": 202}

    def rows(self) -> QuerySet[ActionRun]:
        return runs()

    def perform(self, _prepared: None) -> Answer:
        given, action = self.given, self.action()
        order, number = self.order(action), self._number(action)
        if "devices" in given:
            chosen.hold_to(given["devices"])
        try:
            with audit.noting(given["note"]), search.patiently(record_pages.COUNTING):
                run = action_runs.begin(
                    action,
                    order,
                    chosen=chosen.selected(given, problems.invalid_fields),
                    confirmed=number,
                    asked=self._asked(),
                    language=get_language() or "",
                )
        except NumberChanged as changed:
            sentence = _("By now {n} devices match. Look at them, and say it again.").format(n=grouped(changed.number))
            raise ApiError(409, "number.changed", sentence) from changed
        if action.key == "wipe":
            hold_to_limit(run.number)  # what is refused here was never begun
        return self.answer(run, location=reverse("api:x-actions-one", args=[run.pk]))

    def _number(self, action: Action) -> int | None:
        given = self.given
        if "number" in given or not action.is_dangerous:
            return given.get("number")
        if "devices" not in given:
            raise problems.invalid_fields({"number": [_("This action destroys: say to how many devices it goes.")]})
        return len(set(given["devices"]))

    def _asked(self) -> str:
        """As an address of the portal's list has it."""
        given = self.given
        named = {
            "search": given.get("query", ""),
            "label": given.get("label", ""),
            "retired": 1 if given["retired"] else "",
        }
        return urlencode({name: value for name, value in named.items() if value})


class OneRun(One[ActionRun]):
    says = {"GET": "How far an action to many devices has come."}
    tells = {"GET": RunTold}

    def row(self, *, locked: bool, number: int) -> ActionRun:  # type: ignore[override] # its own place
        return found(runs(), locked=locked, pk=number)


class Stop(Done):
    says = {"POST": "Stop an action to many devices; what has been done stays done."}
    tells = {"POST": RunTold}

    def perform(self, _prepared: None) -> Answer:
        run: ActionRun = found(runs(), locked=False, pk=self.kwargs["number"])
        action_runs.stop(run, actor=self.actor, address=client_address(self.request._request))
        return self.answer(runs().get(pk=run.pk))


class ResultTold(Told):
    example = {"device": "9b0da853-7b1c-4d0f-9a55-3c8f3a8f1a01", "result": "skipped", "said": "This device is retired."}
    device = serializers.SerializerMethodField(help_text="Null: its record has been deleted.")
    result = serializers.SerializerMethodField(help_text=", ".join(RESULTS))
    said = serializers.SerializerMethodField()

    def get_device(self, row: ActionResult) -> UUID | None:
        return row.device.uuid if row.device is not None else None

    def get_result(self, row: ActionResult) -> str:
        return ActionResult.State(row.state).name.lower()

    def get_said(self, row: ActionResult) -> str:
        """A reason may name the account of a person."""
        return "" if masking.hidden() else row.said


class AskedResults(Cursor):
    result = serializers.ChoiceField(list(RESULTS), required=False)


class Results(Listed[ActionResult]):
    says = {"GET": "What came of an action for each device."}
    asks = AskedResults
    orders = {"": keyset.Order("pk")}
    item = ResultTold
    told_parameters = frozenset({"result"})

    def rows(self) -> QuerySet[ActionResult]:
        run: ActionRun = found(runs(), locked=False, pk=self.kwargs["number"])
        rows = ActionResult.objects.filter(run=run).select_related("device").only("state", "said", "device__uuid")
        return rows.filter(state=RESULTS[self.asked["result"]]) if "result" in self.asked else rows

    def told(self, rows: Sequence[ActionResult]) -> Sequence[Any]:
        return rows
