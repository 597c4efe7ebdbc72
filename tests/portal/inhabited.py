"""A portal with something on every page: people, devices that enrolled and one that was refused, labels, commands."""

import contextlib
from base64 import b32decode

from django.db import transaction
from django_otp.oath import totp

from devices.models import Device
from devices.services import action_runs, broadcast, configurations, labels
from devices.services.actions import BY_KEY, Order
from enrollment.services import invitations
from enrollment.services.registration import Announced
from enrollment.simulator.hardware import Family
from enrollment.simulator.refusal import DeviceRefused
from epmm import webhooks
from epmm.models import Event, Webhook, WebhookDelivery
from tests.devices.configuration.profiles import profile
from tests.flows.house import HOST, opened, person, record_of, switch
from tests.ports import free_port
from users.models import Directory, DirectoryEntry, DirectorySync, Group, IdentityProvider, User
from users.services import custom_attributes, group_roles, people_actions, people_runs, second_factor


def fill() -> None:
    with opened() as house:
        person("anna", first_name="Anna", last_name="Adler", email="anna@example.com")
        person("bob", roles=())
        switch("registration.privacy_page", "on")
        phone, mac = house.enrolled(), house.enrolled(Family.MAC)
        for device in (phone, mac):
            device.connect()
        house.work()
        house.enrolled(Family.IPAD).check_out()
        with contextlib.suppress(DeviceRefused):
            house.enrolled(identifier=f"bob@{HOST}")
        sales = labels.create("Sales", description="People who travel", actor="test")
        labels.add(sales, record_of(mac), actor="test")
        wifi = configurations.upload(profile(), actor="test").configuration
        configurations.assign(wifi, record_of(phone), actor="test")
        custom_attributes.define("device", "room", "text", actor="test")
        order = Order(values={"label": sales}, actor="test")
        everything = Device.objects.all()
        action_runs.begin(BY_KEY["apply-label"], order, chosen=everything, confirmed=None, asked="", language="en")
        people_runs.begin(
            people_actions.PIN, {}, chosen=User.objects.all(), asked="", actor="admin", address=None, language="en"
        )
        IdentityProvider.objects.create(name="Corp Login", issuer="https://login.example.test", client_id="epmm")
        switch("mail.host", "mail.example.test")
        switch("mail.from", "epmm@example.test")
        with transaction.atomic():
            invitations.announce(User.objects.get(user_id="bob"), Announced(platform="iOS"), actor="test")
        broadcast.begin("SecurityInfo", selection={}, payload=None, actor="test")
        house.work()
        directory()
    webhook()


def directory() -> None:
    """One that is away, with a group of which somebody is."""
    unreachable = f"ldaps://127.0.0.1:{free_port()}"
    example = Directory.objects.create(
        name="Example", url=unreachable, bind_name="cn=reader", bind_password=b"secret", user_base="dc=example"
    )
    sync = {"error": "Can't contact LDAP server", "problem_count": 1, "problems": ["bert: The user ID bert is taken."]}
    DirectorySync.objects.create(directory=example, counts={"people": 1, "added": 1}, **sync)
    carla = User.objects.create(user_id="carla", source=User.Source.LDAP)
    DirectoryEntry.objects.create(
        user=carla, directory=example, external_id="1", dn="uid=carla,dc=example", account_state=1
    )
    for provider in IdentityProvider.objects.all():
        carla.provider_links.create(provider=provider, subject="s-carla")
    sales = Group.objects.create(directory=example, external_id="2", name="Sales", dn="cn=sales,dc=example")
    sales.memberships.create(user=carla)
    group_roles.change([sales], ["portal", "portal.lock"], [], actor="test")


def webhook() -> None:
    """One that nobody answers for, and what it was not told."""
    nobody = Webhook(name="SIEM", url="https://127.0.0.1/hook", kinds=["device.enrolled"])
    webhooks.save(nobody, actor="test")
    event = Event.objects.create(kind="device.enrolled", subject="phone", data={"device": {}}, is_spread=True)
    dead = WebhookDelivery.State.DEAD
    nobody.deliveries.create(event=event, subject="phone", state=dead, attempts=14, status=500, excerpt="Sorry.")


def protect(user: User) -> list[str]:
    """By a second factor; the codes that let in without it, once each."""
    key = second_factor.secret(second_factor.begin(user)).replace(" ", "")
    return second_factor.confirm(user, f"{totp(b32decode(key + '=' * (-len(key) % 8))):06}")
