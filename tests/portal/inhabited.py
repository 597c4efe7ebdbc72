"""A portal with something on every page: people, devices that enrolled and one that was refused, labels, commands."""

import contextlib
from base64 import b32decode

from django.db import transaction
from django_otp.oath import totp

from devices.services import broadcast, configurations, labels
from enrollment.services import invitations
from enrollment.services.registration import Announced
from enrollment.simulator.hardware import Family
from enrollment.simulator.refusal import DeviceRefused
from tests.devices.configuration.profiles import profile
from tests.flows.house import HOST, opened, person, record_of, switch
from users.models import User
from users.services import custom_attributes, second_factor


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
        switch("mail.host", "mail.example.test")
        switch("mail.from", "epmm@example.test")
        with transaction.atomic():
            invitations.announce(User.objects.get(user_id="bob"), Announced(platform="iOS"), actor="test")
        broadcast.begin("SecurityInfo", selection={}, payload=None, actor="test")
        house.work()


def protect(user: User) -> list[str]:
    """By a second factor; the codes that let in without it, once each."""
    key = second_factor.secret(second_factor.begin(user)).replace(" ", "")
    return second_factor.confirm(user, f"{totp(b32decode(key + '=' * (-len(key) % 8))):06}")
