"""Every row is in a device space, by itself or by what it hangs on, or on purpose in none."""

from typing import Any, Final

from django.apps import apps
from django.db.models import Model

from epmm.spaces import GLOBAL_SPACE

OURS: Final = ("epmm", "users", "devices", "enrollment")
SERVER = "what the whole server is set up with"
MACHINERY = "how the server works, whoever it works for"
SHARED = "content by its hash, for whoever has use for it"
BOUNDED = "counts strangers and what they try, before anybody is known"
OF_A_PERSON = "of the person who is signed in; that column is empty for nobody else"
IN_NONE: Final = {
    "devices.DeclarationContent": SHARED,
    "devices.LongExpression": "the text of a search, for its address",
    "devices.Manifest": SHARED,
    "devices.Payload": SHARED,
    "devices.PushCertificate": SERVER,
    "devices.PushRequest": SERVER,
    "enrollment.Authority": SERVER,
    "enrollment.InvitationTemplate": SERVER,
    "enrollment.LocalText": SERVER,
    "enrollment.PolicyText": SERVER,
    "epmm.AuditCheck": "one chain links the entries of all spaces",
    "epmm.AuditCheckpoint": "one chain links the entries of all spaces",
    "epmm.AuditExport": "of the administrator who asked, by the user ID",
    "epmm.AuditExportPart": "as its export",
    "epmm.AuditSeal": "one chain links the entries of all spaces",
    "epmm.ExpiryNotice": SERVER,
    "epmm.Heartbeat": MACHINERY,
    "epmm.Job": MACHINERY,
    "epmm.Mail": MACHINERY,
    "epmm.ScheduledRun": MACHINERY,
    "epmm.SettingRow": SERVER,
    "epmm.Webhook": "told the events of all spaces, each with its space",
    "users.Directory": SERVER,
    "users.DirectorySync": SERVER,
    "users.Group": "as its directory or identity provider has it",
    "users.GroupRole": "as its group",
    "users.IdentityProvider": SERVER,
    "users.PersonSession": OF_A_PERSON,
    "users.PortalSession": OF_A_PERSON,
    "users.SignInBudget": BOUNDED,
    "users.SignInFailures": BOUNDED,
    "users.SpentSignIn": BOUNDED,
}


def space_of(model: type[Model]) -> Any:
    return next((field for field in model._meta.concrete_fields if field.name == "space_id"), None)


def is_in_one(model: type[Model]) -> bool:
    owners = [field for field in model._meta.concrete_fields if field.is_relation and not field.null]
    return space_of(model) is not None or any(is_in_one(owner.related_model) for owner in owners)  # type: ignore[arg-type] # no "self"


def test_every_row_is_in_a_space_or_on_purpose_in_none() -> None:
    models = [model for label in OURS for model in apps.get_app_config(label).get_models()]

    assert {model._meta.label for model in models if not is_in_one(model)} == IN_NONE.keys()
    assert {field.default for model in models if (field := space_of(model))} == {GLOBAL_SPACE}
