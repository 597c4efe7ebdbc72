"""Pages of the portal about devices, under `/admin/`; who may open them stands in `users/permissions.py`."""

from django.urls import path

from devices.views import command_queue, mdm_settings

urlpatterns = [
    path("settings/ios-mdm", mdm_settings.mdm, name="settings-ios-mdm"),
    path("settings/ios-mdm/certificate", mdm_settings.certificate, name="settings-ios-mdm-certificate"),
    path("settings/ios-mdm/request", mdm_settings.request_file, name="settings-ios-mdm-request"),
    path("settings/ios-mdm/signed", mdm_settings.signed, name="settings-ios-mdm-signed"),
    path("logs/queue", command_queue.commands, name="logs-queue"),
    path("logs/broadcasts", command_queue.broadcasts, name="logs-broadcasts"),
    path("logs/broadcasts/call-back", command_queue.call_back, name="logs-broadcasts-call-back"),
]
