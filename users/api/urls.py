from django.urls import path, re_path

from users.api import attributes, audit_logs, directory_entities, people, views
from users.api.base import Unknown
from users.api.permissions import UNKNOWN

urlpatterns = [
    path("ping", views.Ping.as_view(), name="ping"),
    path("authorized/users", people.Users.as_view(), name="authorized-users"),
    path("users/custom_attributes", attributes.OfUsers.as_view(), name="users-custom-attributes"),
    path("attributes/definitions", attributes.Definitions.as_view(), name="attributes-definitions"),
    path("device_spaces", people.Spaces.as_view(), name="device-spaces"),
    path("device_spaces/mine", people.MySpaces.as_view(), name="device-spaces-mine"),
    path("admins/ldap_entities", directory_entities.DirectoryEntities.as_view(), name="admins-ldap-entities"),
    path("admins/actions", audit_logs.Actions.as_view(), name="admins-actions"),
    path("admins/<str:source>/actions", audit_logs.Actions.as_view(), name="admins-actions-of"),
    path("logs/audit_logs_export", audit_logs.Export.as_view(), name="audit-logs-export"),
    path("logs/audit_logs_export_status", audit_logs.ExportStatus.as_view(), name="audit-logs-export-status"),
    path("logs/audit_logs_csv", audit_logs.Download.as_view(), name="audit-logs-csv"),
    path("appstore/apps", views.NoApps.as_view(), name="appstore-apps"),
    path("appstore/apps/<str:key>", views.NoApp.as_view(), name="appstore-apps-one"),
]
# after those of all other apps; an address may have a line break in it
last = [re_path(r"^[\s\S]*\Z", Unknown.as_view(), name=UNKNOWN)]
