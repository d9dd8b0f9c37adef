"""The dataset that a run was queued on, as its worker finds it."""

from __future__ import annotations

from marsseg.data.arrays import DatasetArrays, open_arrays
from marsseg.errors import DatasetError, NotFoundError
from marsseg.settings import Settings
from marsseg.store import RunStore
from marsseg.store.records import DatasetRecord, RunRecord


def open_dataset(run: RunRecord, store: RunStore, settings: Settings) -> tuple[DatasetRecord, DatasetArrays]:
    """Find the dataset of a run and open its arrays.

    Raises:
        DatasetError: it has vanished since the run was queued, or a file of it is damaged.
    """
    try:
        dataset = store.get_dataset(run.dataset_id)
        return dataset, open_arrays(settings.datasets_dir / dataset.sha256)
    except NotFoundError as error:
        raise DatasetError(
            f"dataset {run.dataset_name!r} is no longer in the lab; start a new run on another"
        ) from error
    except DatasetError as error:
        raise DatasetError(f"dataset {run.dataset_name!r} cannot be read: {error}") from error
