from importlib.metadata import PackageNotFoundError, version

import click

from epmm_client import config, output
from epmm_client.commands import api, devices, doctor, login, users
from epmm_client.commands.context import Context, Group


def _version() -> str:
    try:
        return version("epmm-client")
    except PackageNotFoundError:  # run from where it lies
        return "unknown"


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--profile", default="", help="Section of the configuration file; or EPMM_PROFILE.")
@click.option("--server", default="", metavar="URL", help="Address of the server; or EPMM_SERVER.")
@click.option(
    "--ca-file", default="", metavar="FILE", help="Certificates to trust besides the system's; or EPMM_CA_FILE."
)
@click.option("-o", "--output", "form", type=click.Choice(output.FORMATS), default="table", show_default=True)
@click.version_option(_version(), prog_name="epmm")
@click.pass_context
def main(ctx: click.Context, profile: str, server: str, ca_file: str, form: str) -> None:
    """Manage devices and people of an EPMM server.

    The token comes from EPMM_TOKEN, or from the file that `epmm login` writes.  Exit status: 0 done, 1 refused or
    failed in part, 2 wrong usage, 3 no access, 4 not reachable, 5 not found.
    """
    if ctx.obj is None:
        ctx.obj = Context(config.Asked(), form)
    ctx.obj.asked, ctx.obj.form = config.Asked(profile=profile, server=server, ca_file=ca_file), form


main.add_command(devices.devices)
main.add_command(devices.labels)
main.add_command(users.users)
main.add_command(users.roles)
main.add_command(doctor.doctor)
main.add_command(api.api)
main.add_command(login.login)
main.add_command(login.completion)
