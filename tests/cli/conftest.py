"""A lab with a small dataset and one scored run, and a way to call commands on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from marsseg.cli import app
from marsseg.config import RunConfig, parse_values
from marsseg.identity import ProcessIdentity
from marsseg.services import Lab, add_dataset, open_lab, split_of
from marsseg.settings import PROJECT_ROOT, Settings
from marsseg.store.records import (
    EpochRecord,
    EvaluationRecord,
    NewRun,
    RunRecord,
    RunStatus,
)

PAIRS, OUTLIERS, TEST_IMAGES = 60, 8, 3
THRESHOLD = 128
"""The little network below calls brighter pixels sand and all others soil."""


def course_tiles(seed: int = 0) -> dict[str, np.ndarray]:
    """A file in the course format: brightness tells sand from soil; the last rows share one odd mask."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (PAIRS, 64, 128)).astype(np.float64)
    masks = np.where(images >= THRESHOLD, 3.0, 1.0)
    masks[::4, :8, :16] = 4
    masks[:, 60:] = 0
    masks[-OUTLIERS:] = masks[0]
    test_set = random.integers(0, 256, (TEST_IMAGES, 64, 128)).astype(np.uint8)
    return {"training_set": np.stack([images, masks], axis=1), "test_set": test_set}


@pytest.fixture
def course_file(tmp_path: Path) -> Path:
    path = tmp_path / "crater.npz"
    np.savez(path, **course_tiles())
    return path


@pytest.fixture(scope="session")
def started_home(tmp_path_factory: pytest.TempPathFactory, first_home: Path) -> Path:
    """The home of a lab that was opened once and knows the dataset `crater`; copied for each test."""
    folder = tmp_path_factory.mktemp("started")
    path = folder / "crater.npz"
    np.savez(path, **course_tiles())
    home = shutil.copytree(first_home, folder / "home")
    lab = open_lab(settings_of(home))
    add_dataset(lab, path)
    lab.store.close()
    return home


@pytest.fixture
def home(started_home: Path, tmp_path: Path) -> Path:
    return shutil.copytree(started_home, tmp_path / "home")


@pytest.fixture
def settings(home: Path) -> Settings:
    return settings_of(home)


@pytest.fixture
def lab(settings: Settings) -> Lab:
    return open_lab(settings)


def settings_of(home: Path) -> Settings:
    return Settings(home=home, database_url=f"sqlite:///{home / 'runs.db'}")


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Outcome]


@pytest.fixture
def marsseg(home: Path, woken: list[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Call a command in this process; nothing trains."""
    monkeypatch.setenv("MARSSEG_HOME", str(home))

    def call(*arguments: object, stdin: bytes = b"") -> Outcome:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture
def terminal(home: Path) -> Command:
    """Call a command as a person does, in a process of its own."""

    def call(*arguments: object) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "marsseg", *map(str, arguments)],
            cwd=PROJECT_ROOT,
            env={**os.environ, "MARSSEG_HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


def queue_run(lab: Lab, **values: Any) -> RunRecord:
    """A queued run; no scheduler is started."""
    config = parse_values({"data.dataset": "crater", "train.batch_size": 8, **values})
    dataset = lab.store.get_dataset("crater")
    return lab.store.add_run(
        NewRun(
            config=config,
            name=config.name or "a run",
            fingerprint=config.fingerprint(dataset.identity),
            dataset_id=dataset.id,
            dropped_rows=dataset.dropped_rows,
        )
    )


def finish_run(
    lab: Lab, run: RunRecord, status: RunStatus, reason: str = "", share_right: float = 1.0
) -> str:
    """Let a run end as a worker would have it: one epoch, evaluations of both splits, an exported network."""
    claimed = lab.store.claim_next(slots=100)
    assert claimed is not None
    assert claimed[0].id == run.id
    token = claimed[1]
    lab.store.worker_started(run.id, token, ProcessIdentity(os.getpid(), 1.0, "boot", token))
    lab.store.record_facts(run.id, token, parameters=1234, class_weights=(0, 1, 1, 1, 1))
    lab.store.add_epoch(
        run.id,
        token,
        EpochRecord(1, 0.5, float("nan"), 0.25, (0.1, 0.2, float("nan"), 0.4, 0.5), 1e-4, 2.0, 30.0),
    )
    for split, rows in _parts(lab, run.config).items():
        for decoding in ("argmax", "terrain_only"):
            confusions = _confusions(len(rows), share_right)
            lab.store.add_evaluation(token, EvaluationRecord(run.id, split, decoding, rows, confusions))
    folder = lab.settings.run_dir(run.id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log.txt").write_text("".join(f"line {number}\n" for number in range(1, 501)))
    onnx.save(brightness_network(run.id), folder / "model.onnx")
    lab.store.finish(run.id, token, status, reason, best_epoch=1)
    return run.id


@pytest.fixture
def scored_run(lab: Lab) -> str:
    return finish_run(lab, queue_run(lab, name="scored"), RunStatus.COMPLETED)


def _parts(lab: Lab, config: RunConfig) -> dict[str, np.ndarray]:
    split = split_of(lab, config.data)
    return {"validation": split.validation, "test": split.test}


def _confusions(images: int, share_right: float) -> np.ndarray:
    """Per image 100 pixels of soil and 100 of sand, `share_right` of each predicted right."""
    right = round(100 * share_right)
    confusion = np.zeros((5, 5), np.int64)
    confusion[1, 1] = confusion[3, 3] = right
    confusion[1, 3] = confusion[3, 1] = 100 - right
    return np.repeat(confusion[None], images, axis=0)


def brightness_network(run_id: str) -> onnx.ModelProto:
    """One linear layer: logits of soil and sand cross at THRESHOLD, those of other classes stay far below."""
    mean, std = 0.5, 0.25
    middle = ((THRESHOLD - 0.5) / 255 - mean) / std
    weights = np.array([[0, 0, 0, 1, 0]], np.float32)
    bias = np.array([-9, middle, -9, 0, -9], np.float32)
    shape = ["batch", "height", "width"]
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["image", "weights"], ["product"]),
            helper.make_node("Add", ["product", "bias"], ["logits"]),
        ],
        "brightness",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [*shape, 1])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [*shape, 5])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    facts = {"mean": mean, "std": std, "frame_size": "null", "multiple": 4, "run_id": run_id}
    helper.set_model_props(model, {name: str(value) for name, value in facts.items()})
    return model
