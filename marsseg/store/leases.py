"""Leases: at most one process acts in a role, and one that lost the role cannot write by it.

The fencing token grows with every change of hands (after Kleppmann, "How to do distributed
locking", 2016), so a holder that slept through the end of its lease is told from the current one.
"""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from marsseg.errors import StateError
from marsseg.store.base import StorePart
from marsseg.store.converters import lease_record
from marsseg.store.records import LeaseRecord
from marsseg.store.tables import LeaseRow

SCHEDULER = "scheduler"
"""The role of the one process that starts and watches the runs of a store."""

_NOBODY = ""


class Leases(StorePart):
    """Who may act as the scheduler; times are the caller's, so that a test can pass them."""

    def acquire_lease(self, name: str, owner: str, now: float, ttl: float) -> int | None:
        """Take a lease that is free or expired; returns its fencing token, None while another owner holds it.

        Args:
            name: the role, e.g. "scheduler".
            owner: text that no other process uses; who asks again gets a new token.
            now: seconds since the epoch.
            ttl: seconds until the lease expires unless it is renewed.
        """
        with self._database.write() as session:
            row = session.get(LeaseRow, name)
            if row is None:
                session.add(LeaseRow(name=name, owner=owner, expires_at=now + ttl, token=1))
                return 1
            if row.owner not in {_NOBODY, owner} and _holds(row, now, ttl):
                return None
            row.owner, row.expires_at, row.token = owner, now + ttl, row.token + 1
            return row.token

    def renew_lease(self, name: str, owner: str, token: int, now: float, ttl: float) -> bool:
        """Keep a lease for another `ttl` seconds; False when it has passed to another owner."""
        return self._set_lease(name, owner, token, expires_at=now + ttl)

    def release_lease(self, name: str, owner: str, token: int) -> bool:
        """Give a lease back; False when it had passed to another owner already."""
        return self._set_lease(name, owner, token, owner_after=_NOBODY, expires_at=0.0)

    def find_lease(self, name: str) -> LeaseRecord | None:
        """Who holds a lease, perhaps past its end; None when it was never taken or was given back."""
        with self._database.read() as session:
            row = session.get(LeaseRow, name)
            return None if row is None or row.owner == _NOBODY else lease_record(row)

    def _set_lease(
        self, name: str, owner: str, token: int, *, expires_at: float, owner_after: str | None = None
    ) -> bool:
        held = (LeaseRow.name == name, LeaseRow.owner == owner, LeaseRow.token == token)
        values = {"expires_at": expires_at, "owner": owner if owner_after is None else owner_after}
        with self._database.write() as session:
            return session.connection().execute(update(LeaseRow).where(*held).values(values)).rowcount == 1


def require_lease(session: Session, lease: LeaseRecord) -> None:
    """Refuse to write for a holder that lost its lease.

    Raises:
        StateError: another owner has it.
    """
    current = session.scalar(
        select(LeaseRow.token).where(LeaseRow.name == lease.name, LeaseRow.owner == lease.owner)
    )
    if current != lease.token:
        raise StateError(f"The {lease.name} lease has passed to another process; this one must end.")


def _holds(row: LeaseRow, now: float, ttl: float) -> bool:
    # An end much further off than any lease reaches was set before the clock was put back.
    return now < row.expires_at <= now + 2 * ttl
