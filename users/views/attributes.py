"""Users > Actions > Assign custom attributes."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from users import permissions
from users.attribute_forms import PeopleValuesForm
from users.errors import InvalidPerson
from users.models import CustomAttribute, User
from users.services import custom_attributes, people_actions
from users.services.people_lists import everybody
from users.views import chosen, people_runs
from users.views.dialogs import administrator, refused
from users.views.users import LISTING, to


@require_POST
def assign(request: HttpRequest) -> HttpResponse:
    try:
        whom = chosen.of(request, LISTING, everybody(), narrow=to, may_be_many=True)
    except InvalidPerson as error:
        return refused(request, str(error))
    form = PeopleValuesForm(request.POST if whom.is_sent else None)
    heading = _("Assign custom attributes")
    context = whom.context() | {"heading": heading, "address": request.path, "form": form}
    if not form.is_valid():
        context["may_define"] = permissions.may_open(request, "settings-attributes")
        status = 422 if form.errors else 200
        return render(request, "portal/people/attributes.html", context, status=status)
    if whom.is_many:
        texts = {str(attribute.pk): text for attribute, text in form.values.items()}
        return people_runs.begin(request, whom, people_actions.ATTRIBUTES, {"attributes": texts})
    actor = administrator(request).user_id
    results = [(user, *_set(user, form.values, actor)) for user in whom.people]
    failed = sum(1 for _user, problem, _told in results if problem)
    return render(request, "portal/people/results.html", context | {"results": results, "failed": failed})


def _set(user: User, values: dict[CustomAttribute, str], actor: str) -> tuple[str, str]:
    """What was wrong, and else what is to be told."""
    try:
        changed = custom_attributes.set_for_user(user, values, actor=actor)
    except InvalidPerson as error:
        return str(error), ""
    return "", _("Assigned") if changed else _("Had these values already")
