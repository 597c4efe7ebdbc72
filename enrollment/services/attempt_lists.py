"""Attempts to enroll as lists and traces show them, in the portal and the API."""

from typing import Final

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from enrollment.models import Attempt, AttemptStep, Step
from enrollment.protocol.discovery import ModelFamily
from enrollment.reasons import BY_CODE
from epmm import indexed
from epmm.indexed import begins
from epmm.portal.filters import Filter, days
from users.models import User


def _of_user(text: str) -> Q:
    """Whom it names is looked up first: the database would look up the person of each attempt."""
    user = User.objects.filter(user_id=text).values_list("pk", flat=True).first()
    return Q(pk__in=[]) if user is None else Q(user=user)


FILTERS: Final = (
    Filter(key="user", label=_("User or address"), lookup="identifier", or_by=_of_user),
    Filter(key="domain", label=_("Domain"), lookup="domain", is_lower=True),
    Filter(key="model", label=_("Model"), lookup="model_family", values=[(family, family) for family in ModelFamily]),
    Filter(key="code", label=_("Code"), lookup="last_code", values=[(code, code) for code in BY_CODE]),
    Filter(key="state", label=_("State"), lookup="state", values=Attempt.State.choices),
    *days("opened_at", since=_("From"), until=_("To")),
)


def find(attempts: QuerySet[Attempt], text: str) -> QuerySet[Attempt]:
    """By how the typed address begins, by the person's user ID, or by the code."""
    return indexed.find(attempts, [begins("identifier", text), _of_user(text), Q(last_code=text.upper())])


def step_name(step: AttemptStep) -> str:
    """A key that an earlier release wrote, and nobody writes any more, is shown as it is."""
    return str(Step(step.step).label) if step.step in Step else step.step


def advice(step: AttemptStep) -> str:
    return str(BY_CODE[step.code].operator) if step.code in BY_CODE else ""
