from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest

from marsseg import services
from marsseg.errors import DatasetError
from marsseg.services.lab import Lab
from tests.support.terrain import write_course_file


def test_an_upload_is_imported_under_its_files_name_and_leaves_no_copy(lab: Lab, tmp_path: Path) -> None:
    content = write_course_file(tmp_path / "new.npz", seed=3).read_bytes()
    job = services.start_upload(lab, "C:\\tiles\\Gale.npz", io.BytesIO(content))
    done = services.wait_for_import(job.id)
    assert done.added is not None
    assert done.added.record.name == "Gale"
    assert not list(lab.settings.datasets_dir.glob(".import-*"))
    services.dismiss_import(job.id)
    assert job.id not in [each.id for each in services.list_imports()]


def test_an_upload_that_is_no_npz_is_refused_at_once(lab: Lab) -> None:
    with pytest.raises(DatasetError, match=r"not an \.npz"):
        services.start_upload(lab, "tiles.zip", io.BytesIO(b"PK"))


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04broken"])
def test_a_broken_upload_says_what_is_wrong_and_adds_nothing(lab: Lab, content: bytes) -> None:
    before = [record.name for record in services.list_datasets(lab)]
    job = services.start_upload(lab, "../my <b>broken</b> tiles.npz", io.BytesIO(content))
    done = services.wait_for_import(job.id)
    assert done.added is None
    assert "tiles.npz" in done.problem
    assert done.problem.endswith(".")
    assert [record.name for record in services.list_datasets(lab)] == before
    assert not list(lab.settings.datasets_dir.glob(".import-*"))


def test_an_upload_that_does_not_fit_on_the_disk_is_refused_and_leaves_nothing(lab: Lab) -> None:
    class Endless(io.RawIOBase):
        def read(self, _size: int = -1) -> bytes:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DatasetError, match="No space left on device"):
        services.start_upload(lab, "large.npz", Endless())
    assert not list(lab.settings.datasets_dir.glob(".import-*"))


def test_an_import_by_path_reports_its_progress_and_its_problem(lab: Lab, tmp_path: Path) -> None:
    good = services.start_import(lab, str(write_course_file(tmp_path / "more.npz", seed=5)))
    assert services.wait_for_import(good.id).fraction == 1.0
    bad = services.start_import(lab, str(tmp_path / "nowhere.npz"))
    assert "nowhere.npz" in services.wait_for_import(bad.id).problem


def test_a_running_import_cannot_be_dismissed(lab: Lab, tmp_path: Path) -> None:
    job = services.start_import(lab, str(write_course_file(tmp_path / "more.npz", seed=6)))
    services.dismiss_import(job.id)
    assert services.wait_for_import(job.id).is_done
