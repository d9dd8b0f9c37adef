"""`results`: the page, where it goes, and what is said beside it."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from marsseg import services
from marsseg.services import Lab
from marsseg.store.records import RunStatus
from tests.cli.conftest import Command, finish_run

LADDER = ("study", "--ladder", "--dataset", "crater", "--epochs", 1, "--set", "train.batch_size=8")
ORDER = "**1, 2, 3, 4, 5, 6**"


@pytest.fixture
def ladder(marsseg: Command, lab: Lab) -> None:
    """The ladder with two seeds, each row a little better than the one before it."""
    assert marsseg(*LADDER, "--repeats", 2).status == 0
    for place, run in enumerate(services.queue(lab)):
        finish_run(lab, run, RunStatus.COMPLETED, share_right=0.5 + 0.08 * (place % 6))


def test_the_page_is_written_where_it_shall_lie_and_again_the_same(
    marsseg: Command, ladder: None, tmp_path: Path
) -> None:
    page = tmp_path / "results.md"
    answer = marsseg("results", "--study", "Report ladder", "--out", page)
    assert (answer.status, answer.out) == (0, "")
    assert f"Written: {page}" in answer.err
    text = page.read_text("utf-8")
    assert ORDER in text
    assert "epochs 200 → 1, batch size 16 → 8" in text
    assert marsseg("results", "--study", 1, "--out", page).status == 0
    assert page.read_text("utf-8") == text
    assert marsseg("results", "--study", 1).out.splitlines()[3:-2] == text.splitlines()[3:-2]


def test_what_is_missing_is_counted(marsseg: Command, ladder: None) -> None:
    answer = marsseg("results", "--study", 1, "--against", "notebook")
    assert "train --preset ladder-1" in answer.out
    assert "what is missing and how to get it: 7 things" in answer.err


def test_json_holds_every_score_and_difference(marsseg: Command, ladder: None, lab: Lab) -> None:
    document = marsseg(
        "results", "--study", 1, "--candidate", "ladder-2", "--against", "ladder-1", "--json"
    ).document
    rows = document["rows"]
    assert [row["preset"] for row in rows] == [f"ladder-{number}" for number in range(1, 7)]
    shown = services.run_document(lab, rows[3]["runs"][1])["scores"]
    for split in ("validation", "test"):
        for lens, decoding in (("terrain", "terrain_only"), ("course", "argmax"), ("strict", "argmax")):
            expected = shown[split][lens][decoding]["mean_iou"]
            assert rows[3]["scores"][split][lens][1] == pytest.approx(expected)
    assert document["shared"] == {"train.epochs": 1, "train.batch_size": 8}
    assert document["against"]["names"] == ["ladder-2", "ladder-1"]
    assert document["against"]["differences"][0]["delta"] == pytest.approx(document["steps"][0]["delta"])
    assert {gap["command"].split()[3] for gap in document["missing"]} == {"train"}


def test_a_study_is_repeated_in_a_fresh_home_by_the_commands_on_its_page(
    marsseg: Command, started_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = ("study", "--preset", "quick", "--dataset", "crater", "--change", "residual", "--change", "SiLU")
    assert marsseg(*start, "--folds", 2, "--repeats", 2, "--name", "my folds").status == 0
    ours = marsseg("runs", "list", "--json").document
    text = marsseg("results", "--study", 1).out
    material, *lines = text.split("## How to repeat it")[1].split("```")[1].strip().splitlines()
    assert material.endswith("datasets add crater.npz --name crater")  # which the fresh home has already
    monkeypatch.setenv("MARSSEG_HOME", str(shutil.copytree(started_home, tmp_path / "fresh")))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    for line in lines:
        answer = marsseg(*shlex.split(line)[3:])
        assert answer.status == 0, answer.err
    again = marsseg("runs", "list", "--json").document
    same = ("name", "fingerprint", "seed")
    assert [[run[key] for key in same] for run in again] == [[run[key] for key in same] for run in ours]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--study", "nowhere"), "There is no study 'nowhere'"),
        (("--study", 1, "--against", "nobody"), "neither a preset nor a completed run"),
        (("--study", 1, "--candidate", "notebook"), "--against"),
        (("--study", 1, "--out", "/nowhere/at/all.md"), "/nowhere/at/all.md cannot be used"),
    ],
)
def test_what_cannot_be_written_up_is_bad_input(
    marsseg: Command, ladder: None, arguments: tuple[object, ...], sentence: str
) -> None:
    answer = marsseg("results", *arguments)
    assert (answer.status, answer.out) == (2, "")
    assert sentence in answer.err
