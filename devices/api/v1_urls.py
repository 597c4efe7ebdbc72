from django.urls import path

from devices.api import v1

urlpatterns = [
    path("dm/devices", v1.Devices.as_view(), name="v1-devices"),
    path("dm/devices/mac/<str:mac>", v1.OneByMac.as_view(), name="v1-devices-mac"),
    path("dm/devices/lock/mac/<str:mac>", v1.LockDevice.as_view(), name="v1-devices-lock-mac"),
    path("dm/devices/wipe/mac/<str:mac>", v1.WipeDevice.as_view(), name="v1-devices-wipe-mac"),
    path("dm/devices/retire/mac/<str:mac>", v1.RetireDevice.as_view(), name="v1-devices-retire-mac"),
    path("dm/devices/unlock/mac/<str:mac>", v1.UnlockDevice.as_view(), name="v1-devices-unlock-mac"),
    path("dm/devices/lock/<str:uuid>", v1.LockDevice.as_view(), name="v1-devices-lock"),
    path("dm/devices/wipe/<str:uuid>", v1.WipeDevice.as_view(), name="v1-devices-wipe"),
    path("dm/devices/retire/<str:uuid>", v1.RetireDevice.as_view(), name="v1-devices-retire"),
    path("dm/devices/unlock/<str:uuid>", v1.UnlockDevice.as_view(), name="v1-devices-unlock"),
    path("dm/devices/<str:uuid>", v1.OneDevice.as_view(), name="v1-devices-one"),
    path("dm/users/<path:name>", v1.OfUser.as_view(), name="v1-users-devices"),
    path("dm/phones/<str:number>", v1.OfPhone.as_view(), name="v1-phones"),
    path("dm/labels", v1.Labels.as_view(), name="v1-labels"),
    path("dm/labels/devices/<str:uuid>", v1.LabelsOfDevice.as_view(), name="v1-labels-of-device"),
    path("dm/labels/<path:name>", v1.OfLabel.as_view(), name="v1-labels-devices"),
    path("dm/bulk/sendmessage", v1.SendMessage.as_view(), name="v1-sendmessage"),
]
