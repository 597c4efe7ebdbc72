"""Custom attributes: what an installation keeps about people and devices beyond what the product knows."""

from typing import Any, ClassVar, Final

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from epmm.folding import FoldedField
from epmm.spaces import InSpace

LONGEST_TEXT: Final = 255


class CustomAttribute(InSpace):
    """A definition.  Its name and kind stay: expressions name the one, and values are stored by the other."""

    class Subject(models.TextChoices):
        USER = "user", _("User")
        DEVICE = "device", _("Device")

    class Kind(models.TextChoices):
        TEXT = "text", _("Text")
        NUMBER = "number", _("Number")
        DATE = "date", _("Date")
        BOOLEAN = "boolean", _("Boolean")

    subject = models.CharField(max_length=8, choices=Subject.choices)
    name = models.CharField(max_length=50)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    description = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint("subject", Lower("name"), name="custom_attribute_once")]

    def __str__(self) -> str:
        return self.key

    @property
    def key(self) -> str:
        """As expressions of the search name it."""
        return f"custom.{self.subject}.{self.name}"


class AttributeValue(models.Model):
    """What one person or device has.  Nothing set is no row."""

    attribute = models.ForeignKey(CustomAttribute, on_delete=models.CASCADE, db_index=False, related_name="+")
    text = models.CharField(max_length=LONGEST_TEXT)  # as it is shown
    folded = FoldedField()  # of a text
    number = models.FloatField(null=True)  # of a number; one or zero of a boolean
    day = models.DateField(null=True)  # of a date

    objects: ClassVar[models.Manager[Any]] = models.Manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.attribute_id}: {self.text}"


class UserAttribute(AttributeValue):
    user = models.ForeignKey("users.User", on_delete=models.CASCADE, db_index=False, related_name="custom_attributes")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "attribute"], name="user_attribute_once")]
        indexes: ClassVar = [
            models.Index(fields=["attribute", "folded"], name="user_attribute_text"),
            models.Index(
                fields=["attribute", "number"], condition=Q(number__isnull=False), name="user_attribute_number"
            ),
            models.Index(fields=["attribute", "day"], condition=Q(day__isnull=False), name="user_attribute_day"),
        ]
