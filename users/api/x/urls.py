from django.urls import path, re_path

from users.api.permissions import UNKNOWN
from users.api.x import audit, imports, openapi, pins, roles, settings, users, webhook_deliveries, webhooks
from users.api.x.base import XUnknown

urlpatterns = [
    path("x/openapi.json", openapi.Document.as_view(), name="x-openapi"),
    path("x/users", users.Users.as_view(), name="x-users"),
    path("x/users/<uuid:uuid>", users.OneUser.as_view(), name="x-users-one"),
    path("x/users/<uuid:uuid>/roles", roles.RolesOfUser.as_view(), name="x-users-roles"),
    path("x/users/<uuid:uuid>/roles/<str:key>", roles.RoleOfUser.as_view(), name="x-users-role"),
    path("x/users/<uuid:uuid>/enable", users.Enable.as_view(), name="x-users-enable"),
    path("x/users/<uuid:uuid>/disable", users.Disable.as_view(), name="x-users-disable"),
    path("x/roles", roles.Roles.as_view(), name="x-roles"),
    path("x/managed_apple_accounts", roles.AssignAccounts.as_view(), name="x-accounts"),
    path("x/managed_apple_accounts/preview", roles.PreviewAccounts.as_view(), name="x-accounts-preview"),
    path("x/registration_pins", pins.Pins.as_view(), name="x-registration-pins"),
    path("x/registration_pins/<int:number>", pins.OnePin.as_view(), name="x-registration-pins-one"),
    path("x/imports/users", imports.ImportUsers.as_view(), name="x-imports-users"),
    path("x/exports/users", imports.ExportedUsers.as_view(), name="x-exports-users"),
    path("x/audit", audit.Audit.as_view(), name="x-audit"),
    path("x/audit/chain", audit.Chain.as_view(), name="x-audit-chain"),
    path("x/audit/chain/check", audit.CheckChain.as_view(), name="x-audit-chain-check"),
    path("x/settings", settings.Settings.as_view(), name="x-settings"),
    path("x/settings/<str:name>", settings.OneSetting.as_view(), name="x-settings-one"),
    path("x/webhooks", webhooks.Webhooks.as_view(), name="x-webhooks"),
    path("x/webhooks/<uuid:uuid>", webhooks.OneWebhook.as_view(), name="x-webhooks-one"),
    path("x/webhooks/<uuid:uuid>/secret", webhooks.NewSecret.as_view(), name="x-webhooks-secret"),
    path("x/webhooks/<uuid:uuid>/secret/former", webhooks.FormerSecret.as_view(), name="x-webhooks-former-secret"),
    path("x/webhooks/<uuid:uuid>/test", webhooks.TestWebhook.as_view(), name="x-webhooks-test"),
    path("x/webhooks/<uuid:uuid>/redeliver", webhook_deliveries.Redeliver.as_view(), name="x-webhooks-redeliver"),
    path("x/webhook_events", webhooks.Kinds.as_view(), name="x-webhook-events"),
    path("x/webhook_deliveries", webhook_deliveries.Deliveries.as_view(), name="x-webhook-deliveries"),
    path("x/webhook_deliveries/<int:number>", webhook_deliveries.OneDelivery.as_view(), name="x-webhook-delivery"),
    path(
        "x/webhook_deliveries/<int:number>/redeliver",
        webhook_deliveries.RedeliverOne.as_view(),
        name="x-webhook-delivery-redeliver",
    ),
]
# after those of all other apps; an address may have a line break in it
last = [re_path(r"^x(?:/[\s\S]*)?\Z", XUnknown.as_view(), name=UNKNOWN)]
