"""The commands with which a page of results says how to make it again."""

from __future__ import annotations

from pathlib import Path

from marsseg import services
from marsseg.config import RunConfig
from marsseg.services.lab import DEMO_DATASET, DEMO_SOURCE, Lab
from tests.support.labs import config, finish_queued, finish_run
from tests.support.ladders import finish_ladder, queue_ladder, section, text_of
from tests.support.terrain import write_course_file, write_frames

MATERIAL = "python -m marsseg datasets add bands.npz --name bands"
START = "--dataset bands --set train.batch_size=4"


def queue_study(lab: Lab, *configs: RunConfig) -> None:
    planned = [services.PlannedRun(f"row {place}", each) for place, each in enumerate(configs)]
    for run in services.submit_study(lab, "Rows", configs[0], planned)[1]:
        finish_queued(lab, run)


def commands(lab: Lab, study: str = "Rows", **asked: str) -> list[str]:
    repeat = section(text_of(lab, study, **asked), "How to repeat it")
    return repeat.split("```")[1].strip().splitlines()


def test_single_changes_are_repeated_by_the_study_that_plans_them(lab: Lab) -> None:
    start = {"data__folds": 2, "train__seed": 3}
    labels = ("Residual connections", "Focal loss")
    toggles = [services.find_toggle(label) for label in labels]
    planned = services.plan_ablation(config(**start), toggles, repeats=2)
    services.submit_study(lab, "Rows", config(**start), planned)
    changes = "--change 'Residual connections' --change 'Focal loss' --folds 2"
    assert commands(lab) == [
        MATERIAL,
        f"python -m marsseg study --preset default --name Rows {START} {changes} "
        "--set train.seed=3 --repeats 2",
        "python -m marsseg results --study Rows --out docs/results.md",
    ]
    assert "no study" not in section(text_of(lab, "Rows"), "How to repeat it")


def test_rows_that_no_plan_makes_are_trained_one_by_one_and_compared_on_the_board(lab: Lab) -> None:
    queue_study(lab, config(), config(model__residual=True, model__squeeze_excite=True))
    material, *trained, last = commands(lab)
    assert material == MATERIAL
    assert ["train" in line.split() for line in trained] == [True, True]
    assert last == "python -m marsseg leaderboard --dataset bands"
    assert "Such runs make no study" in section(text_of(lab, "Rows"), "How to repeat it")


def test_a_baseline_that_is_gone_leaves_rows_that_no_plan_makes(lab: Lab) -> None:
    queue_study(lab, config(), config(model__residual=True))
    services.archive(lab, [services.list_runs(lab)[-1].id])
    assert "leaderboard" in commands(lab)[-1]


def test_a_row_under_a_name_that_only_this_home_gave_it_goes_by_its_fingerprint(lab: Lab) -> None:
    queue_study(lab, config(), config(model__residual=True))
    (above, _) = services.list_runs(lab)
    last = commands(lab, candidate=above.name, against="ladder-1")[-1]
    assert f"--candidate {above.fingerprint} --against ladder-1" in last


def test_other_homes_know_neither_numbers_of_studies_nor_ids_of_runs(lab: Lab) -> None:
    finish_ladder(lab, repeats=1)
    rival = finish_run(lab, config(model__filters=4))
    queue_ladder(lab, repeats=1)
    assert commands(lab, "1", against=rival.id)[-1] == (
        f"python -m marsseg results --study 'Report ladder' --against {rival.fingerprint} "
        "--out docs/results.md"
    )


def test_the_dataset_is_brought_as_it_was_the_first_time(lab: Lab, tmp_path: Path) -> None:
    frames = write_frames(tmp_path / "frames", 12)
    services.add_dataset(lab, frames, name="gale", frame_size=512)
    queue_study(lab, config(data__dataset="gale"))
    assert commands(lab)[0] == "python -m marsseg datasets add frames --name gale --frame-size 512"


def test_an_uploaded_file_goes_by_its_own_name_and_scale(lab: Lab, tmp_path: Path) -> None:
    with write_course_file(tmp_path / "mine.npz", 60, seed=9).open("rb") as stream:
        job = services.start_upload(lab, "my tiles.npz", stream, name="mine", frame_size=128)
    assert services.wait_for_import(job.id).added is not None
    queue_study(lab, config(data__dataset="mine"))
    assert commands(lab)[0] == "python -m marsseg datasets add 'my tiles.npz' --name mine --frame-size 128"


def test_the_demo_is_there_by_itself_but_not_under_another_name(lab: Lab, tmp_path: Path) -> None:
    drawn = write_course_file(tmp_path / "drawn.npz", 60, seed=9)
    services.add_dataset(lab, drawn, name=DEMO_DATASET, source=DEMO_SOURCE)
    queue_study(lab, config(data__dataset=DEMO_DATASET))
    assert "datasets" not in commands(lab)[0]
    services.rename_dataset(lab, "demo", "procedural")
    assert commands(lab)[0] == "python -m marsseg datasets rename demo procedural"
