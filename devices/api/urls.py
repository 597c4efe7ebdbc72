from django.urls import path

from devices.api import actions, attributes, inventory, labels, search
from devices.api.x import label_files

urlpatterns = [
    path("devices", search.Devices.as_view(), name="devices"),
    path("devices/count", search.Count.as_view(), name="devices-count"),
    path("devices/search_fields", search.SearchFields.as_view(), name="devices-search-fields"),
    path("device_spaces/criteria", search.SearchFields.as_view(), name="device-spaces-criteria"),
    path("devices/action", actions.DeviceAction.as_view(), name="devices-action"),
    path("devices/wakeup", actions.WakeUp.as_view(), name="devices-wakeup"),
    path("devices/retire", actions.Retire.as_view(), name="devices-retire"),
    path("devices/wipe", actions.Wipe.as_view(), name="devices-wipe"),
    path("devices/lock", actions.Lock.as_view(), name="devices-lock"),
    path("devices/unlock", actions.Unlock.as_view(), name="devices-unlock"),
    path("devices/appinventory", inventory.OfDevices.as_view(), name="devices-appinventory"),
    path("devices/custom_attributes", attributes.OfDevices.as_view(), name="devices-custom-attributes"),
    # a name may hold a slash
    path("devices/labels/<path:name>/add", labels.Add.as_view(), name="devices-labels-add"),
    path("devices/labels/<path:name>/remove", labels.Remove.as_view(), name="devices-labels-remove"),
    path("devices/<str:uuid>/details", search.Details.as_view(), name="devices-details"),
    path("devices/<str:uuid>/labels", labels.OfDevice.as_view(), name="devices-labels"),
    path("appinventory/devices", inventory.OfApp.as_view(), name="appinventory-devices"),
    path("x/imports/labels", label_files.ImportLabels.as_view(), name="x-imports-labels"),
    path("x/exports/labels", label_files.ExportedLabels.as_view(), name="x-exports-labels"),
    path("labels", labels.Labels.as_view(), name="labels"),
    path("labels/label_summary", labels.Summary.as_view(), name="labels-summary"),
    path("labels/<int:number>", labels.OneLabel.as_view(), name="labels-one"),
]
