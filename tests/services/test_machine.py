"""What a run is given of this machine."""

from __future__ import annotations

from dataclasses import replace

from marsseg import services
from marsseg.services.lab import Lab
from marsseg.settings import usable_cores


def test_slots_share_the_cores(lab: Lab) -> None:
    two_slots = Lab(replace(lab.settings, slots=2), lab.store)
    share = services.run_share(two_slots)
    assert (share.slots, share.cores) == (2, usable_cores())
    assert share.threads == max(1, usable_cores() // 2)
