"""Leases: one holder at a time, fenced by a token that only grows."""

from __future__ import annotations

from marsseg.store import RunStore
from marsseg.store.records import LeaseRecord


def take(store: RunStore, owner: str, now: float, ttl: float = 10) -> int | None:
    return store.acquire_lease("scheduler", owner, now, ttl)


def test_one_holder_until_it_expires(store: RunStore) -> None:
    assert store.find_lease("scheduler") is None
    assert take(store, "a", now=100) == 1
    assert store.find_lease("scheduler") == LeaseRecord("scheduler", "a", 110, 1)
    assert take(store, "b", now=109.9) is None
    assert take(store, "b", now=110) == 2
    assert store.find_lease("scheduler") == LeaseRecord("scheduler", "b", 120, 2)


def test_renewing_keeps_it(store: RunStore) -> None:
    token = take(store, "a", now=100)
    assert token is not None
    assert store.renew_lease("scheduler", "a", token, now=108, ttl=10)
    assert take(store, "b", now=115) is None
    assert store.find_lease("scheduler") == LeaseRecord("scheduler", "a", 118, token)


def test_late_but_not_replaced_can_renew(store: RunStore) -> None:
    token = take(store, "a", now=100)
    assert token is not None
    assert store.renew_lease("scheduler", "a", token, now=500, ttl=10)
    assert take(store, "b", now=505) is None


def test_who_was_replaced_can_neither_renew_nor_release(store: RunStore) -> None:
    old = take(store, "a", now=100)
    new = take(store, "b", now=200)
    assert old is not None
    assert new is not None
    assert not store.renew_lease("scheduler", "a", old, now=201, ttl=10)
    assert not store.release_lease("scheduler", "a", old)
    assert not store.renew_lease("scheduler", "b", old, now=201, ttl=10)
    assert store.find_lease("scheduler") == LeaseRecord("scheduler", "b", 210, new)


def test_released_it_is_free_at_once_and_its_token_still_grows(store: RunStore) -> None:
    token = take(store, "a", now=100)
    assert token is not None
    assert store.release_lease("scheduler", "a", token)
    assert store.find_lease("scheduler") is None
    assert not store.renew_lease("scheduler", "a", token, now=101, ttl=10)
    assert take(store, "b", now=101) == token + 1


def test_the_holder_that_asks_again_fences_its_former_self(store: RunStore) -> None:
    first = take(store, "a", now=100)
    assert first is not None
    assert take(store, "a", now=101) == first + 1
    assert not store.renew_lease("scheduler", "a", first, now=102, ttl=10)


def test_a_clock_put_back_does_not_lock_the_lease_for_an_hour(store: RunStore) -> None:
    assert take(store, "a", now=10_000) == 1
    assert take(store, "b", now=9_995) is None  # clocks of two machines may differ by seconds
    assert take(store, "b", now=6_400) == 2


def test_leases_of_other_names_are_apart(store: RunStore) -> None:
    assert take(store, "a", now=0) == 1
    assert store.acquire_lease("launch", "b", 0, 10) == 1
    assert store.find_lease("janitor") is None
    assert not store.renew_lease("janitor", "a", 1, 0, 10)
