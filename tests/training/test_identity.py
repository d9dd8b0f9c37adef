from __future__ import annotations

import os

import pytest

from marsseg.execution.processes import identify, is_alive
from marsseg.training.identity import own_identity


def test_the_scheduler_recognises_what_the_worker_signs_with():
    signed = own_identity("token")
    seen = identify(os.getpid(), "token")
    assert (signed.pid, signed.boot_id, signed.token) == (seen.pid, seen.boot_id, seen.token)
    assert signed.created_at == pytest.approx(seen.created_at, abs=0.02)
    assert is_alive(signed)
