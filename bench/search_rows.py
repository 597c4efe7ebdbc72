"""Devices in the hundreds of thousands, made by the database itself."""

from typing import Any, Final

NUMBERS: Final = "WITH RECURSIVE g(n) AS (SELECT CAST(1 AS bigint) UNION ALL SELECT n + 1 FROM g WHERE n < {count})"
MODELS: Final = 20
# Of the n-th device: which person has it, and a number below 1000 that nothing else depends on.
PERSON: Final = "(n * 7919 % {people} + 1)"
DICE: Final = "(n * 2654435761 % 999983 % 1000)"
VERSIONS: Final = "(CASE WHEN {dice} % 100 < 67 THEN {dice} % 4 ELSE 4 + {dice} % 3 END)"


def seed(count: int, people: int = 0) -> None:
    people = people or max(1, count * 2 // 5)
    _people(people)
    _devices(count, people)
    tidy()


def _people(count: int) -> None:
    from users.models import User

    person = User.objects.create(user_id="template")
    email, given, family = f"'user' || n || {_domain('n')}", "'Given' || (n % 500)", "'Person ' || n"
    copy(
        User, person.pk, count,
        {
            "uuid": new_uuid(), "user_id": "'user' || n", "email": email, "full_name": "'Person ' || n",
            "first_name": given, "last_name": family, "first_name_folded": f"lower({given})",
            "last_name_folded": f"lower({family})",
            "managed_apple_account": f"CASE WHEN n % 10 < 7 THEN {email} END",
            "source": "CASE WHEN n % 10 < 3 THEN 'ldap' ELSE 'local' END",
        },
    )  # fmt: skip
    User.objects.filter(pk=person.pk).update(user_id="Template")


def _devices(count: int, people: int) -> None:
    from django.db.models import Min

    from devices.models import Device
    from users.models import User

    first = User.objects.exclude(user_id="Template").aggregate(first=Min("pk"))["first"]
    template = Device.objects.create(user_id=first, mdm_managed=True, platform="iOS", model_name="iPhone 16 Pro Max")
    person, version = PERSON.format(people=people), VERSIONS.format(dice=DICE)
    names = ("'user' || {0}", "'person ' || {0}", "'user' || {0} || " + _domain("{0}"))
    user_id, user_name, email = (name.format(person) for name in names)
    serial, device = f"'TEST' || {_hexadecimal('n')}", f"'iphone of person ' || {person}"
    model = f"'iPhone' || (n % {MODELS}) || ',1'"
    copy(
        Device, template.pk, count,
        {
            "uuid": new_uuid(), "user": f"{person} + {first - 1}",
            "status": f"CASE WHEN {DICE} < 100 THEN 'RETIRED' WHEN {DICE} < 114 THEN 'WIPE_PENDING' ELSE 'ACTIVE' END",
            "retired_at": f"CASE WHEN {DICE} < 100 THEN {moment('n * 631 % 31536000')} END",
            "enrollment_type": "CASE WHEN n % 10 < 7 THEN 'adde' ELSE 'aaue' END",
            "serial_number": serial, "udid": "'UDID-' || n", "product_name": model,
            "os_version": f"'17.' || {version}", "os_version_number": f"17000000 + 1000 * {version}",
            "device_name": f"'iPhone of Person ' || {person}", "last_seen_at": moment("n * 7907 % 2592000"),
            "phone_number": "CASE WHEN n % 2 = 0 THEN '+4917' || (10000000 + n) ELSE '' END",
            "home_country": f"CASE WHEN {DICE} BETWEEN 570 AND 572 THEN 'LI' WHEN {DICE} < 900 THEN 'DE' ELSE '' END",
            "ip_address": "'10.' || (n / 65536) || '.' || (n / 256 % 256) || '.' || (n % 256)",
            "registered_at": moment("n * 31 % 20000000"), "modified_at": moment("n * 7907 % 2592000"),
            "name_folded": device, "user_id_folded": user_id, "user_name_folded": user_name,
            "user_email_folded": email,
            "search_text": _between(user_id, user_name, email, device, f"lower({serial})", f"lower({model})"),
        },
    )  # fmt: skip
    template.delete()


def copy(model: type[Any], template: int, count: int, columns: dict[str, str]) -> None:
    """As many copies of the row, with these columns of their own; the key too, where the database gives none."""
    from django.db import connection

    fields = [field for field in model._meta.concrete_fields if not field.primary_key or field.name in columns]
    names = ", ".join(f'"{field.column}"' for field in fields)
    values = ", ".join(columns.get(field.name, f't."{field.column}"') for field in fields)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {model._meta.db_table} ({names}) {NUMBERS.format(count=count)} "  # noqa: S608 - ours
            f"SELECT {values} FROM g, {model._meta.db_table} t WHERE t.id = {template}"
        )


def _domain(number: str) -> str:
    """One in ten is at xcorp, 2.8 % of all at xcorp1."""
    return (
        f"CASE WHEN {number} % 10 > 0 THEN '@corp' || ({number} % 7) "
        f"WHEN {number} / 10 % 18 < 5 THEN '@xcorp1' ELSE '@xcorp2' END || '.example'"
    ).join("()")


def _between(*parts: str) -> str:
    return " || chr(31) || ".join(parts) if _on_postgresql() else " || char(31) || ".join(parts)


def _hexadecimal(number: str) -> str:
    if _on_postgresql():
        return f"upper(lpad(to_hex({number} * 61 % 4294967296), 8, '0'))"
    return f"printf('%08X', {number} * 61 % 4294967296)"


def moment(seconds_ago: str) -> str:
    if _on_postgresql():
        return f"now() - make_interval(secs => {seconds_ago})"
    return f"strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || ({seconds_ago}) || ' seconds')"


def new_uuid() -> str:
    return "gen_random_uuid()" if _on_postgresql() else "lower(hex(randomblob(16)))"


def _on_postgresql() -> bool:
    from django.db import connection

    return connection.vendor == "postgresql"


def tidy() -> None:
    """As the server's own maintenance, or ours, does in its time."""
    from django.db import connection

    from epmm import statistics

    if _on_postgresql():
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    statistics.renew()
