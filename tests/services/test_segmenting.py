from __future__ import annotations

from pathlib import Path

import pytest

from marsseg import services
from marsseg.errors import StateError
from marsseg.services.lab import Lab
from tests.support.labs import config, finish_run
from tests.support.terrain import write_course_file


def test_networks_of_the_demo_terrain_come_after_those_of_other_tiles(lab: Lab, tmp_path: Path) -> None:
    services.add_dataset(lab, write_course_file(tmp_path / "other.npz", seed=9), name=services.DEMO_DATASET)
    fair = finish_run(lab, config(), error_rate=0.4)
    good = finish_run(lab, config(train__seed=1), error_rate=0.2)
    demo = finish_run(lab, config(data__dataset=services.DEMO_DATASET), error_rate=0.0)
    finish_run(lab, config(train__seed=2), error_rate=0.0, name="without a network")
    for run in (fair, good, demo):
        (lab.settings.run_dir(run.id) / "model.onnx").write_bytes(b"an exported network")
    assert [run.id for run, _ in services.usable_runs(lab)] == [good.id, fair.id, demo.id]


def test_a_first_stage_segments_nothing(lab: Lab, tmp_path: Path) -> None:
    stage = finish_run(lab, config(data__target="background", loss__class_weights__background=1.0))
    (lab.settings.run_dir(stage.id) / "model.onnx").write_bytes(b"an exported network")
    assert services.usable_runs(lab) == []
    with pytest.raises(StateError, match="only tells background from terrain"):
        services.segment(lab, stage.id, b"")
    with pytest.raises(StateError, match="only tells background from terrain"):
        services.write_submission(lab, stage.id, tmp_path / "submission.csv")
