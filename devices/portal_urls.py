"""Pages of the portal about devices, under `/admin/`; who may open them stands in `users/permissions.py`."""

from django.urls import path

from devices.services.actions import ACTIONS
from devices.views import builder, command_queue, device_actions, device_details, device_list, labels, mdm_settings

urlpatterns = [
    path("settings/ios-mdm", mdm_settings.mdm, name="settings-ios-mdm"),
    path("settings/ios-mdm/certificate", mdm_settings.certificate, name="settings-ios-mdm-certificate"),
    path("settings/ios-mdm/request", mdm_settings.request_file, name="settings-ios-mdm-request"),
    path("settings/ios-mdm/signed", mdm_settings.signed, name="settings-ios-mdm-signed"),
    path("logs/queue", command_queue.commands, name="logs-queue"),
    path("logs/broadcasts", command_queue.broadcasts, name="logs-broadcasts"),
    path("logs/broadcasts/call-back", command_queue.call_back, name="logs-broadcasts-call-back"),
    path("devices", device_list.devices, name="devices"),
    path("devices/search", device_list.search_again, name="devices-search"),
    path("devices/search/translate", builder.translate("search"), name="devices-search-translate"),
    path("devices/search/count", builder.count("search"), name="devices-search-count"),
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
    path("labels", labels.labels, name="labels"),
    path("labels/sizes", labels.sizes, name="labels-sizes"),
    path("labels/from-search", labels.from_search, name="labels-from-search"),
    path("labels/save", labels.save, name="labels-save"),
    path("labels/criteria/translate", builder.translate("criteria"), name="labels-criteria-translate"),
    path("labels/criteria/count", builder.count("criteria"), name="labels-criteria-count"),
    path("labels/add", labels.add, name="labels-add"),
    path("labels/<int:number>/edit", labels.edit, name="labels-edit"),
    path("labels/edit", labels.edit_ticked, name="labels-edit-ticked"),
    path("labels/delete", labels.delete, name="labels-delete"),
]
