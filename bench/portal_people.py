"""The people of such an installation: administrators, roles, a directory, invitations, actions to everybody."""

from datetime import timedelta
from typing import Final

from bench.search_rows import copy, moment

MANY: Final = 200  # rows of what no installation has in the hundreds of thousands
GROUPS_EACH: Final = 3  # that somebody is in
PASSWORD: Final = "correct horse battery"  # noqa: S105 - of a database that is thrown away


def administrators() -> int:
    """One in two holds all roles; the name of the first."""
    from users.models import AdminGrant, AdminRole, User

    users = list(User.objects.exclude(user_id="Template").order_by("-pk")[:MANY])
    User.objects.filter(pk__in=[user.pk for user in users]).update(is_admin=True, source="local")
    AdminGrant.objects.bulk_create(
        AdminGrant(user=user, key=key, granted_by="bench")
        for user in users
        for key in (AdminRole.values if user.pk % 2 else AdminRole.values[::4])
    )
    return users[0].pk


def roles(people: int) -> None:
    from users.models import RoleGrant, User

    first, nobody = User.objects.get(user_id="user1").pk, User.objects.get(user_id="Template")
    for key in ("portal", "portal.lock", "apple.adde"):
        grant = RoleGrant.objects.create(user=nobody, key=key, granted_by="bench")
        copy(RoleGrant, grant.pk, people, {"user": f"n + {first - 1}"})
        grant.delete()


def directory(people: int) -> int:
    from users.models import Directory, DirectorySync, Group, GroupRole, Membership, User
    from users.services import group_sizes

    directory = Directory.objects.create(
        name="Bench", url="ldaps://127.0.0.1:9", bind_name="cn=reader", bind_password=b"secret", user_base="dc=bench"
    )
    problems = [f"user{number}: The user ID user{number} is taken." for number in range(MANY // 2)]
    DirectorySync.objects.create(directory=directory, problems=problems, problem_count=MANY)
    Group.objects.bulk_create(
        Group(directory=directory, external_id=str(number), name=f"Group {number}", name_folded=f"group {number}",
              dn=f"cn=Group {number},dc=bench")
        for number in range(MANY)
    )  # fmt: skip
    groups = list(Group.objects.order_by("pk"))
    GroupRole.objects.bulk_create(GroupRole(group=group, key="apple.adde", granted_by="bench") for group in groups)
    first, nobody = User.objects.get(user_id="user1").pk, User.objects.get(user_id="Template")
    for offset in range(GROUPS_EACH):
        member = Membership.objects.create(group=groups[0], user=nobody)
        group = f"(n + {offset}) % {MANY} + {groups[0].pk}"
        copy(Membership, member.pk, people, {"user": f"n + {first - 1}", "group": group})
        member.delete()
    group_sizes.recount(group.pk for group in groups)
    return directory.pk


def of_one(person: int) -> None:
    from django.utils import timezone

    from epmm.models import AuditEntry
    from users.models import RegistrationPin, User
    from users.services import sign_in

    now = timezone.now()
    RegistrationPin.objects.bulk_create(
        RegistrationPin(user_id=person, hashed="!", expires_at=now, revoked_at=now if number else None)
        for number in range(MANY)
    )
    name = User.objects.get(pk=person).user_id
    AuditEntry.objects.bulk_create(
        AuditEntry(action=sign_in.FAILED, actor=name, subject_type="user", subject=name, status="Failed",
                   address="192.0.2.7", details={"reason": "wrong password"})
        for _ in range(MANY)
    )  # fmt: skip


def able_to_sign_in(person: int) -> str:
    """To the user portal, with all that people do there; their user ID."""
    from users.models import Role, User
    from users.services import roles

    user = User.objects.get(pk=person)
    user.set_password(PASSWORD)
    user.source = User.Source.LOCAL
    user.save(update_fields=["password", "source"])
    roles.grant(user, [role for role in Role if role.startswith("portal")], actor="bench")
    return user.user_id


def invitations(people: int) -> None:
    """Two for each person, the older of which has ended; sent in rounds, with a mail each."""
    from django.utils import timezone

    from enrollment.models import Invitation, InvitationRound
    from epmm.models import Mail
    from users.models import User

    first, nobody = User.objects.get(user_id="user1").pk, User.objects.get(user_id="Template")
    rounds = InvitationRound.objects.bulk_create(
        InvitationRound(language="en", subject="Enroll your device", text="A text. " * 100, created_by="admin")
        for _ in range(MANY)
    )
    mail = Mail.objects.create(
        message_id="<bench>", kind="invitation", recipient="user1@corp1.example", state="sent", done_at=timezone.now()
    )
    invitation = Invitation.objects.create(
        user=nobody,
        round=rounds[0],
        mail=mail,
        token="bench",  # noqa: S106 - opens nothing
        expires_at=timezone.now() + timedelta(days=30),
    )
    copied = {
        "user": f"n + {first - 1}", "round": f"{rounds[0].pk} + n % {MANY}", "created_at": moment("n * 31 % 20000000"),
    }  # fmt: skip
    copy(Invitation, invitation.pk, people, copied | {"token": "'open' || n"})
    ended = {"token": "'ended' || n", "end": "CASE WHEN n % 3 = 0 THEN 'expired' ELSE 'enrolled' END"}
    copy(Invitation, invitation.pk, people, copied | ended)
    invitation.delete()


def runs(people: int) -> int:
    from django.utils import timezone

    from users.models import PeopleResult, PeopleRun, User

    now = timezone.now()
    runs = PeopleRun.objects.bulk_create(
        PeopleRun(action="unlock", values=b"{}", actor="admin", number=people, done=people, done_at=now)
        for _ in range(MANY)
    )
    first = User.objects.get(user_id="user1").pk
    result = PeopleResult.objects.create(run=runs[-1], user_id=first, state=PeopleResult.State.DONE)
    copy(PeopleResult, result.pk, people - 1, {"user": f"{first} + n", "said": "'Was not locked'"})
    return runs[-1].pk
