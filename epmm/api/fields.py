"""Fields of JSON bodies.  What is written as another type is another value: `"no"` is no flag, and 1 is no text."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from epmm.portal import keyset

Json = dict[str, Any]


class Text(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Flag(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Whole(serializers.IntegerField):
    """JSON knows numbers alone: 1.0 is a whole one."""

    def to_internal_value(self, data: Any) -> int:
        is_number = isinstance(data, int | float) and not isinstance(data, bool)
        if not is_number or data != data or data in (float("inf"), float("-inf")) or data != int(data):  # noqa: PLR0124
            self.fail("invalid")
        return int(data)


class Uuid(serializers.UUIDField):
    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class _Known(serializers.Serializer[Any]):
    def to_internal_value(self, data: Any) -> Any:
        """A name that is misspelt would be left out in silence otherwise."""
        read = super().to_internal_value(data)
        if unknown := sorted(set(map(str, data)) - set(self.fields)):
            known = ", ".join(self.fields)
            told = (
                _("There is no such name here: {known}").format(known=known) if known else _("No names are read here.")
            )
            raise serializers.ValidationError({name: [told] for name in unknown})
        return read


class Given(_Known):
    """The body of a call."""


class Asked(_Known):
    """The parameters of an address, which are texts before they are read."""


class Told(serializers.Serializer[Any]):
    """What is answered."""


def read(kind: type[_Known], data: Mapping[str, Any]) -> _Known:
    """To be asked whether it is right."""
    return kind(data=dict(data))


class Cursor(Asked):
    """Of every list."""

    limit = serializers.IntegerField(min_value=1, max_value=200, default=50, help_text="How many rows come at once.")
    cursor = serializers.CharField(
        required=False, max_length=keyset.LONGEST, help_text="From `next` of the page before. It means nothing."
    )
