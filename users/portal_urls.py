"""Pages of the portal about people, under `/admin/`; who may open them stands in `users/permissions.py`."""

from django.urls import path

from users.views import (
    account,
    actions,
    admin_access,
    admins,
    audit_log,
    person,
    roles,
    settings,
    sign_in,
    start,
    users,
)

urlpatterns = [
    path("", start.start, name="start"),
    path("sign-in", sign_in.sign_in, name="sign-in"),
    path("sign-in/code", sign_in.second_factor, name="second-factor"),
    path("sign-in/password", sign_in.new_password, name="new-password"),
    path("sign-out", sign_in.sign_out, name="sign-out"),
    path("session", sign_in.session, name="session"),
    path("confirm", sign_in.confirm, name="confirm"),
    path("theme", sign_in.theme, name="theme"),
    path("language", sign_in.language, name="language"),
    path("account", account.account, name="account"),
    path("account/password", account.password, name="account-password"),
    path("account/second-factor", account.set_up, name="account-second-factor"),
    path("account/second-factor/codes", account.codes, name="account-codes"),
    path("account/second-factor/off", account.switch_off, name="account-second-factor-off"),
    path("account/sessions", account.end_sessions, name="account-sessions"),
    path("users", users.users, name="users"),
    path("settings", settings.settings, name="settings"),
    path("settings/system/<slug:slug>", settings.page, name="settings-page"),
    path("logs/audit", audit_log.audit_log, name="logs-audit"),
    path("users/add", person.add, name="users-add"),
    path("users/<int:number>", person.edit, name="users-edit"),
    path("users/roles", roles.assign, name="users-roles"),
    path("users/roles/preview", roles.preview, name="users-roles-preview"),
    *(path(f"users/{name}", actions.dialog(name), name=f"users-{name}") for name in actions.DEEDS),
    path("admins", admins.admins, name="admins"),
    path("admins/add", admins.add, name="admins-add"),
    path("admins/roles", admins.assign, name="admins-roles"),
    path("admins/<int:number>/sessions", admin_access.end_sessions, name="admins-sessions"),
    path("admins/<int:number>/second-factor", admin_access.second_factor_off, name="admins-second-factor-off"),
]
