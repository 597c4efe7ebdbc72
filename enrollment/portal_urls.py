"""Pages of the portal about enrollments, under `/admin/`; who may open them stands in `users/permissions.py`."""

from django.urls import path

from enrollment.views import (
    dashboard,
    device_add,
    device_trace,
    domains,
    enrollment_log,
    enterprise,
    invitation_settings,
    invitations,
    invite,
    settings_texts,
)

urlpatterns = [
    path("dashboard", dashboard.dashboard, name="dashboard"),
    path("dashboard/alert", dashboard.alert, name="dashboard-alert"),
    path("dashboard/simulated-device", dashboard.simulate, name="dashboard-simulate"),
    path("dashboard/state", dashboard.state, name="dashboard-state"),
    path("settings/enterprise", enterprise.enterprise, name="settings-enterprise"),
    path("settings/domains", domains.listed, name="settings-domains"),
    path("settings/domains/add", domains.add, name="settings-domains-add"),
    path("settings/domains/remove", domains.remove, name="settings-domains-remove"),
    path("settings/domains/files", domains.show, name="settings-domains-show"),
    path("settings/domains/test", domains.test, name="settings-domains-test"),
    path("settings/texts", settings_texts.texts, name="settings-texts"),
    path("settings/texts/preview", settings_texts.preview, name="settings-texts-preview"),
    path("settings/texts/edit", settings_texts.edit, name="settings-texts-edit"),
    path("settings/texts/delete", settings_texts.delete, name="settings-texts-delete"),
    path("settings/invitations", invitation_settings.listed, name="settings-invitations"),
    path("settings/invitations/edit", invitation_settings.edit, name="settings-invitations-edit"),
    path("settings/invitations/delete", invitation_settings.delete, name="settings-invitations-delete"),
    path("devices/add", device_add.single, name="devices-add"),
    path("devices/add-many", device_add.many, name="devices-add-many"),
    path("users/invite", invite.dialog, name="users-invite"),
    path("users/invite/preview", invite.preview, name="users-invite-preview"),
    path("invitations", invitations.listed, name="invitations"),
    path("invitations/progress", invitations.progress, name="invitations-progress"),
    path("invitations/again", invitations.again, name="invitations-again"),
    path("invitations/stop", invitations.stop, name="invitations-stop"),
    path("logs/enrollment", enrollment_log.attempts, name="logs-enrollment"),
    path("logs/enrollment/<int:number>", enrollment_log.attempt, name="logs-enrollment-attempt"),
    path("devices/<uuid:uuid>/enrollment", device_trace.trace, name="devices-enrollment"),
]
