from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from marsseg.services import Lab
from tests.cli.conftest import OUTLIERS, PAIRS, TEST_IMAGES, Command, course_tiles


@pytest.fixture
def other_file(tmp_path: Path) -> Path:
    path = tmp_path / "ridge.npz"
    np.savez(path, **course_tiles(seed=1))
    return path


def test_adding_a_file_reports_what_is_in_it(marsseg: Command, other_file: Path) -> None:
    answer = marsseg("datasets", "add", other_file, "--json")
    assert answer.status == 0
    assert answer.err == ""
    report = answer.document
    assert report["name"] == "ridge"
    assert report["sha256"] == hashlib.sha256(other_file.read_bytes()).hexdigest()
    assert report["pairs"] == PAIRS
    # the first tile's mask is the one that was pasted over the last tiles
    assert report["outliers"] == [0, *range(PAIRS - OUTLIERS, PAIRS)]
    assert report["kept"] == PAIRS - OUTLIERS - 1
    assert report["test_images"] == TEST_IMAGES
    assert report["already_there"] is False
    kept = np.delete(course_tiles(seed=1)["training_set"][:, 1], report["outliers"], axis=0)
    shares = np.bincount(kept.astype(int).ravel(), minlength=5) / kept.size
    assert report["class_share"] == pytest.approx(list(shares))


def test_a_dataset_can_be_named(marsseg: Command, other_file: Path) -> None:
    assert (
        marsseg("datasets", "add", other_file, "--name", "My ridge", "--json").document["name"] == "My ridge"
    )
    assert marsseg("datasets", "show", "My ridge", "--json").document["pairs"] == PAIRS


def test_the_same_content_again_is_told_and_not_doubled(marsseg: Command, course_file: Path) -> None:
    before = marsseg("datasets", "list", "--json").document
    answer = marsseg("datasets", "add", course_file, "--name", "again", "--json")
    assert answer.status == 0
    assert answer.document["already_there"] is True
    assert answer.document["name"] == "crater"
    assert "here already, as crater" in answer.err
    assert marsseg("datasets", "list", "--json").document == before


def test_a_demo_whose_files_are_gone_comes_back(marsseg: Command, lab: Lab) -> None:
    demo = lab.store.get_dataset("demo")
    shutil.rmtree(lab.settings.datasets_dir / demo.sha256)
    told = marsseg("db", "check")
    assert "datasets add --demo" in told.out + told.err
    answer = marsseg("datasets", "add", "--demo", "--json")
    assert (answer.document["name"], answer.document["already_there"]) == ("demo", True)
    assert "have been restored" in answer.err
    assert "datasets add --demo" not in marsseg("db", "check").out


def test_the_demo_asked_for_first_of_all_is_told_as_made(
    marsseg: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARSSEG_HOME", str(tmp_path / "new"))
    answer = marsseg("datasets", "add", "--demo", "--json")
    assert answer.status == 0
    assert (answer.document["name"], answer.document["already_there"]) == ("demo", False)
    assert "This is a new lab, and its first start has drawn the demo terrain." in answer.err
    assert "already" not in answer.err


def test_the_demo_asked_for_again_is_there_already(marsseg: Command) -> None:
    answer = marsseg("datasets", "add", "--demo", "--json")
    assert answer.document["already_there"] is True
    assert "here already, as demo" in answer.err


@pytest.mark.parametrize("arguments", [(), ("tiles.npz", "--demo")])
def test_what_to_add_has_to_be_said_once(marsseg: Command, arguments: tuple[str, ...]) -> None:
    answer = marsseg("datasets", "add", *arguments)
    assert answer.status == 2
    assert "Give the PATH of a dataset, or --demo" in answer.err


def test_the_list_holds_the_demo_and_what_was_added(marsseg: Command) -> None:
    listed = {record["name"]: record for record in marsseg("datasets", "list", "--json").document}
    assert set(listed) == {"demo", "crater"}
    assert listed["crater"]["kept"] == PAIRS - OUTLIERS - 1
    text = marsseg("datasets", "list").out
    assert "demo" in text
    assert "crater" in text


def test_show_tells_people_what_json_tells_scripts(marsseg: Command) -> None:
    report = marsseg("datasets", "show", "crater", "--json").document
    text = marsseg("datasets", "show", "crater").out
    assert report["sha256"] in text
    assert f"{PAIRS}, of which {report['kept']} kept" in text
    assert f"{100 * report['class_share'][3]:.2f} %" in text


def test_a_dataset_goes_by_the_beginning_of_its_checksum(marsseg: Command) -> None:
    report = marsseg("datasets", "show", "crater", "--json").document
    assert marsseg("datasets", "show", report["sha256"][:10], "--json").document == report


def test_a_suspected_group_can_be_kept_and_left_out_again(marsseg: Command) -> None:
    (group,) = marsseg("datasets", "show", "crater", "--json").document["outlier_groups"]
    assert f"{group['id']}  " in marsseg("datasets", "show", "crater").out
    kept = marsseg("datasets", "keep", "crater", group["id"], "--json").document
    assert (kept["kept"], kept["outliers"], kept["outlier_groups"][0]["kept"]) == (PAIRS, [], True)
    assert kept == marsseg("datasets", "show", "crater", "--json").document
    again = marsseg("datasets", "keep", "crater", group["id"], "--undo")
    assert f"{PAIRS}, of which {PAIRS - OUTLIERS - 1} kept" in again.out
    unknown = marsseg("datasets", "keep", "crater", "nothing")
    assert unknown.status == 2
    assert f"no outlier group 'nothing'; its groups: {group['id']}." in unknown.err


def test_a_renamed_dataset_keeps_its_runs(marsseg: Command, lab: Lab, scored_run: str) -> None:
    document = marsseg("datasets", "rename", "crater", " Jezero  crater ", "--json").document
    assert document in marsseg("datasets", "list", "--json").document
    assert marsseg("runs", "show", scored_run, "--json").document["dataset"] == "Jezero crater"
    taken = marsseg("datasets", "rename", "Jezero crater", "demo")
    assert taken.status == 2
    assert "A dataset named 'demo' is here already" in taken.err
    assert "Gale" in marsseg("datasets", "rename", "Jezero crater", "Gale").out


def test_removing_asks_and_without_a_terminal_refuses(marsseg: Command, lab: Lab) -> None:
    answer = marsseg("datasets", "remove", "crater")
    assert (answer.status, answer.out) == (2, "")
    for word in (f"crater ({PAIRS} pairs, {TEST_IMAGES} test images)", "files", "not touched", "--yes"):
        assert word in answer.err
    assert lab.store.find_dataset("crater")


def test_removing_takes_the_imported_copy_and_leaves_the_original(
    marsseg: Command, lab: Lab, other_file: Path
) -> None:
    marsseg("datasets", "add", other_file, "--frame-size", 256)
    refused = marsseg("datasets", "add", other_file, "--frame-size", 512)
    assert refused.status == 2
    assert "remove that dataset first" in refused.err
    document = marsseg("datasets", "remove", "ridge", "--yes", "--json").document
    assert document["removed"] == "ridge"
    assert document["files"] > 2
    assert document["bytes"] > PAIRS * 2 * 64 * 128
    assert lab.store.find_dataset("ridge") is None
    assert other_file.is_file()
    again = marsseg("datasets", "add", other_file, "--frame-size", 512, "--json")
    assert again.document["frame_size"] == [512, 512]


def test_a_dataset_that_runs_use_is_not_even_asked_about(marsseg: Command, lab: Lab, scored_run: str) -> None:
    marsseg("runs", "archive", scored_run)
    answer = marsseg("datasets", "remove", "crater", "--yes")
    assert (answer.status, answer.out) == (2, "")
    assert f"'crater' is used by 1 run ({scored_run}); delete first what uses it" in answer.err
    assert "copy goes" not in answer.err
    assert lab.store.find_dataset("crater")


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 torn"])
def test_a_wrong_file_gets_one_sentence_and_changes_nothing(
    marsseg: Command, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "wrong.npz"
    path.write_bytes(content)
    before = marsseg("datasets", "list", "--json").document
    answer = marsseg("datasets", "add", path, "--json")
    assert answer.status == 2
    assert answer.out == ""
    assert answer.err.startswith("Error: ")
    assert len(answer.err.splitlines()) == 1
    assert marsseg("datasets", "list", "--json").document == before


@pytest.mark.parametrize("arguments", [["add", "missing.npz"], ["show", "missing"]], ids=" ".join)
def test_what_is_missing_is_said_to_be(marsseg: Command, arguments: list[str]) -> None:
    answer = marsseg("datasets", *arguments, "--json")
    assert answer.status == 2
    assert answer.out == ""
    assert "missing" in answer.err


@pytest.mark.real_data
def test_the_real_tiles_report_their_outliers(real_data_dir: Path, terminal: Command) -> None:
    source = real_data_dir / "mars_tiles.npz"
    answer = terminal("datasets", "add", source, "--json")
    report = answer.document
    assert (answer.status, report["pairs"], report["kept"]) == (0, 2611, 2505)
    with np.load(source, allow_pickle=False) as arrays:
        masks = arrays["training_set"][:, 1].astype(np.uint8).reshape(2611, -1)
    drawing, count = np.unique(masks[report["outliers"]], axis=0, return_counts=True)
    assert count.tolist() == [106]
    assert np.flatnonzero((masks == drawing[0]).all(axis=1)).tolist() == report["outliers"]
    assert report["test_images"] == 10022
