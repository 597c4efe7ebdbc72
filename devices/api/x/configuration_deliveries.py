"""How far each device has come with the configuration profiles that are assigned to it."""

from uuid import UUID

from django.db.models import QuerySet
from rest_framework import serializers

from devices.api.x import chosen
from devices.api.x.configurations import one
from devices.models import ConfigurationDelivery
from devices.models.delivery import is_shown_as
from devices.services import configuration_status
from epmm.api.fields import Cursor, Told
from epmm.portal import keyset
from users.api.x.base import Listed

State = ConfigurationDelivery.State


class DeliveryTold(Told):
    example = {
        "configuration": "com.example.wifi",
        "device": "9b0da853-7b1c-4d0f-9a55-3c8f3a8f1a01",
        "user_key": "",
        "state": "APPLIED",
        "wanted_version": 2,
        "installed_version": 2,
        "error": "",
        "changed_at": "2025-01-01T12:00:00Z",
        "installed_at": "2025-01-01T12:00:00Z",
    }
    configuration = serializers.CharField(source="configuration.identifier")
    device = serializers.SerializerMethodField()
    user_key = serializers.CharField(source="channel.user_key")
    state = serializers.SerializerMethodField(help_text=", ".join(State.values))
    wanted_version = serializers.SerializerMethodField()
    installed_version = serializers.SerializerMethodField()
    error = serializers.CharField(source="error_text")
    changed_at = serializers.DateTimeField()
    installed_at = serializers.DateTimeField(allow_null=True)

    def get_device(self, row: ConfigurationDelivery) -> UUID | None:
        device = row.channel.enrollment.device
        return device.uuid if device else None

    def get_state(self, row: ConfigurationDelivery) -> str:
        return row.shown_state.value

    def get_wanted_version(self, row: ConfigurationDelivery) -> int | None:
        return row.wanted.number if row.wanted else None

    def get_installed_version(self, row: ConfigurationDelivery) -> int | None:
        return row.installed.number if row.installed else None


class AskedDeliveries(Cursor):
    state = serializers.ChoiceField(State.values, required=False)


class _Deliveries(Listed[ConfigurationDelivery]):
    asks = AskedDeliveries
    orders = {"": keyset.Order("pk")}
    item = DeliveryTold
    told_parameters = frozenset({"state"})

    def narrowed(self, rows: QuerySet[ConfigurationDelivery]) -> QuerySet[ConfigurationDelivery]:
        return rows.filter(is_shown_as(self.asked["state"])) if "state" in self.asked else rows


class Deliveries(_Deliveries):
    says = {"GET": "How far each device has come with a configuration."}

    def rows(self) -> QuerySet[ConfigurationDelivery]:
        return self.narrowed(configuration_status.of_configuration(one(self.kwargs["number"])))


class OfDevice(_Deliveries):
    says = {"GET": "The configurations of a device, and how far it has come with each."}

    def rows(self) -> QuerySet[ConfigurationDelivery]:
        return self.narrowed(configuration_status.of_device(chosen.one(self.kwargs["uuid"])))
