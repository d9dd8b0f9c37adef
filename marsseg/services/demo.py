"""The built-in demo terrain as a dataset of the lab."""

from __future__ import annotations

import tempfile
from pathlib import Path

from marsseg.services.datasets import AddedDataset, Progress, add_dataset
from marsseg.services.lab import DEMO_DATASET, DEMO_SOURCE, Lab


def add_demo(lab: Lab, progress: Progress | None = None) -> AddedDataset:
    """Draw the demo terrain and import it; if its files are gone or damaged, they are made anew."""
    from marsseg.data.demo import DEMO_FRAME_SIZE, write_demo_dataset  # only the first start needs it

    with tempfile.TemporaryDirectory(prefix="marsseg-demo-") as folder:
        path = Path(folder) / "demo.npz"
        write_demo_dataset(path)
        return add_dataset(
            lab, path, name=DEMO_DATASET, frame_size=DEMO_FRAME_SIZE, progress=progress, source=DEMO_SOURCE
        )
