"""Of rules for enrollments, which belong to another app, what whoever lets groups go has to know."""

from typing import Any

from django.apps import apps


def with_rule(**origin: Any) -> list[str]:
    """The groups of a directory or a provider whose rules would go with them."""
    wanted = {f"group__{name}": value for name, value in origin.items()}
    rules = apps.get_model("enrollment", "Rule").objects.filter(**wanted)
    return list(rules.order_by("group__name").values_list("group__name", flat=True))
