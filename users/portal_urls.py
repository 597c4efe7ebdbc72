"""Pages of the portal about people, under `/admin/`; who may open them stands in `users/permissions.py`."""

from django.urls import path

from users.views import audit_log, settings, sign_in, start, users

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
    path("users", users.users, name="users"),
    path("settings", settings.settings, name="settings"),
    path("settings/system/<slug:slug>", settings.page, name="settings-page"),
    path("logs/audit", audit_log.audit_log, name="logs-audit"),
]
