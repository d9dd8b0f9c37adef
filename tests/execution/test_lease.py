from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from marsseg.execution.lease import find_holder, holder_of, own_name, take_lease
from marsseg.identity import Holder
from marsseg.store import RunStore

NAME = "a role"


def dead_owner() -> str:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = holder_of(process.pid).to_text()
    process.communicate()
    return owner


def test_a_holder_survives_the_owner_column() -> None:
    holder = holder_of(os.getpid())

    assert Holder.from_text(holder.to_text()) == holder
    assert len(holder.to_text()) <= 200


def test_slots_survive_it_too_and_may_be_missing_as_in_earlier_versions() -> None:
    holder = replace(holder_of(os.getpid()), slots=4)

    assert Holder.from_text(holder.to_text()) == holder
    earlier = json.dumps(json.loads(holder.to_text())[:4])
    assert Holder.from_text(earlier) == replace(holder, slots=0)


def test_text_of_someone_else_names_no_holder() -> None:
    for text in ("", "someone", "{}", "[1, 2]", '["a", "b", "c", "d"]', "null"):
        assert Holder.from_text(text) is None


def test_the_lease_of_a_dead_process_is_free_at_once(store: RunStore) -> None:
    now = time.time()
    first = store.acquire_lease(NAME, dead_owner(), now, 600)

    token = take_lease(store, NAME, own_name(), now, 600)

    assert token is not None
    assert token > first
    assert find_holder(store, NAME, now).process.pid == os.getpid()


def test_the_lease_of_a_living_or_unknown_owner_is_not_taken(store: RunStore) -> None:
    now = time.time()
    for name, owner in (("living", own_name()), ("unknown", "someone")):
        store.acquire_lease(name, owner, now, 600)

        assert take_lease(store, name, "another", now, 600) is None
        assert take_lease(store, name, "another", now + 601, 600) is not None


def test_of_many_who_find_a_dead_holder_one_takes_the_lease(store: RunStore) -> None:
    now = time.time()
    store.acquire_lease(NAME, dead_owner(), now, 600)
    owners = [own_name() for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(lambda owner: take_lease(store, NAME, owner, now, 600), owners))

    assert sum(token is not None for token in tokens) == 1
