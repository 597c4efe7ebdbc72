"""Pages of the portal about devices, under `/admin/`; who may open them stands in `users/permissions.py`."""

from django.urls import path

from devices.services.actions import ACTIONS
from devices.views import (
    command_queue,
    configurations,
    device_actions,
    device_details,
    device_list,
    identities,
    labels,
    mdm_settings,
    upkeep_settings,
)

urlpatterns = [
    path("settings/ios-mdm", mdm_settings.mdm, name="settings-ios-mdm"),
    path("settings/ios-mdm/certificate", mdm_settings.certificate, name="settings-ios-mdm-certificate"),
    path("settings/ios-mdm/request", mdm_settings.request_file, name="settings-ios-mdm-request"),
    path("settings/ios-mdm/signed", mdm_settings.signed, name="settings-ios-mdm-signed"),
    path("settings/retired-devices", upkeep_settings.retired, name="settings-retired"),
    path("settings/retired-devices/delete", upkeep_settings.delete_retired, name="settings-retired-delete"),
    path("settings/duplicate-devices", upkeep_settings.duplicates, name="settings-duplicates"),
    path("settings/duplicate-devices/now", upkeep_settings.candidates, name="settings-duplicates-now"),
    path("settings/duplicate-devices/retire", upkeep_settings.retire_duplicates, name="settings-duplicates-retire"),
    path("logs/queue", command_queue.commands, name="logs-queue"),
    path("logs/broadcasts", command_queue.broadcasts, name="logs-broadcasts"),
    path("logs/broadcasts/call-back", command_queue.call_back, name="logs-broadcasts-call-back"),
    path("devices", device_list.devices, name="devices"),
    path("devices/statuses", device_list.statuses, name="devices-statuses"),
    *(
        path(f"devices/{action.key}", device_actions.dialog(action.key), name=f"devices-{action.key}")
        for action in ACTIONS
    ),
    path("devices/<uuid:uuid>", device_details.details, name="devices-details"),
    path("devices/<uuid:uuid>/configurations", device_details.configurations, name="devices-configurations"),
    path("devices/<uuid:uuid>/declarations", device_details.declarations, name="devices-declarations"),
    path("devices/<uuid:uuid>/apps", device_details.apps, name="devices-apps"),
    path("devices/<uuid:uuid>/certificates", device_details.certificates, name="devices-certificates"),
    path("devices/<uuid:uuid>/commands", device_details.commands, name="devices-commands"),
    path("devices/<uuid:uuid>/commands/<int:number>", device_details.command, name="devices-command"),
    path("devices/<uuid:uuid>/commands/<int:number>/cancel", device_details.cancel, name="devices-command-cancel"),
    path("devices/<uuid:uuid>/logs", device_details.logs, name="devices-logs"),
    path("configurations", configurations.configurations, name="configurations"),
    path("configurations/system-ios-mdm", mdm_settings.system, name="configurations-system"),
    path("configurations/upload", configurations.upload, name="configurations-upload"),
    path("configurations/<int:number>", configurations.one, name="configurations-one"),
    path("configurations/<int:number>/assign", configurations.assign, name="configurations-assign"),
    path("configurations/<int:number>/unassign", configurations.unassign, name="configurations-unassign"),
    path("configurations/<int:number>/remove", configurations.remove, name="configurations-remove"),
    path("settings/ios-mdm/identities", identities.identities, name="settings-ios-mdm-identities"),
    path("labels", labels.labels, name="labels"),
    path("labels/add", labels.add, name="labels-add"),
    path("labels/<int:number>/edit", labels.edit, name="labels-edit"),
    path("labels/edit", labels.edit_ticked, name="labels-edit-ticked"),
    path("labels/delete", labels.delete, name="labels-delete"),
]
