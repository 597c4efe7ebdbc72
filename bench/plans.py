"""How PostgreSQL carries the door's statement out for one device, with the rows that each step meets."""

import psycopg

from bench.devices import BenchDevice


def plan(database_url: str, device: BenchDevice) -> str:
    """An Idle that changes nothing.  What a step met by way of finished commands would stand in its numbers."""
    from devices.door.postgresql import IDLE, SETTINGS, WHO

    with psycopg.connect(database_url) as connection:
        connection.execute("ANALYZE")  # as autovacuum does within a minute
        for name, value in SETTINGS.items():
            connection.execute("SELECT set_config(%s, %s, true)", [name, value])
        arrays = ", ".join(f"{kind}[]" for kind in WHO.values())
        connection.execute(f"PREPARE door ({arrays}) AS ".encode() + IDLE.text)
        said = [[device.sha256], [device.udid], [""], [None]]
        rows = psycopg.ClientCursor(connection).execute(
            "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE door (%s, %s, %s, %s)", said
        )
        lines = [str(line) for (line,) in rows.fetchall()]
        connection.rollback()
    return "\n".join(lines)
