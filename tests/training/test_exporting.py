from __future__ import annotations

import re
import shutil
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

from marsseg.config import ModelConfig
from marsseg.inference.predictor import load_predictor
from marsseg.settings import PROJECT_ROOT
from marsseg.training.exporting import export_onnx
from marsseg.training.files import DiskFullError, list_unfinished
from marsseg.training.networks import build_network

pytestmark = pytest.mark.training

METADATA = {"mean": "0.232", "std": "0.101", "frame_size": "[256, 256]", "multiple": "4", "run_id": "ü7"}


@pytest.fixture(scope="module")
def network():
    return build_network(
        ModelConfig(depth=2, filters=4, squeeze_excite=True, normalization="group", groups=2, dropout=0.2),
        seed=0,
    )


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    export_onnx(network, path, METADATA)
    return path


@pytest.fixture(scope="module")
def session(exported):
    return onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("size", [(1, 64, 128), (3, 64, 128), (1, 256, 256), (3, 256, 256), (2, 4, 8)])
def test_runtime_gives_the_networks_logits_at_any_size(network, session, size):
    x = np.random.default_rng(0).normal(size=(*size, 1)).astype("float32")
    (logits,) = session.run(["logits"], {"image": x})
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, np.asarray(network(x, training=False)), rtol=0, atol=1e-4)


def test_one_input_one_output_with_open_sizes(session):
    (image,), (logits,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.type, logits.name, logits.type) == (
        "image",
        "tensor(float)",
        "logits",
        "tensor(float)",
    )
    assert image.shape == ["batch", "height", "width", 1]
    assert logits.shape == ["batch", "height", "width", 5]


def test_metadata_comes_back(session):
    assert session.get_modelmeta().custom_metadata_map == METADATA


def test_the_documented_way_to_use_it_gives_the_labs_own_mask(exported, tmp_path, monkeypatch):
    text = (PROJECT_ROOT / "docs/export.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    image = np.random.default_rng(1).integers(0, 256, (61, 117), np.uint8)
    Image.fromarray(image).save(tmp_path / "image.png")
    shutil.copy(exported, tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(example, names)
    np.testing.assert_array_equal(names["terrain"], load_predictor(exported).segment(image).mask)


def test_file_is_valid_onnx_of_standard_operations(exported):
    model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}


def test_a_second_export_replaces_the_first(network, exported, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"an earlier model")
    export_onnx(network, path, {"run_id": "second"})
    assert [entry.key for entry in onnx.load(path).metadata_props] == ["run_id"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_export_leaves_the_earlier_file(network, tmp_path, monkeypatch):
    def disk_full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    path = tmp_path / "model.onnx"
    path.write_bytes(b"an earlier model")
    monkeypatch.setattr("marsseg.training.files.os.fsync", disk_full)
    with pytest.raises(DiskFullError, match=r"while saving model\.onnx"):
        export_onnx(network, path, {})
    assert path.read_bytes() == b"an earlier model"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_kill_while_exporting_leaves_is_known_as_unfinished(network, tmp_path, monkeypatch):
    found = []
    monkeypatch.setattr(
        "marsseg.training.exporting.move_whole",
        lambda temporary, _path: found.append(list_unfinished(tmp_path) == [temporary.parent]),
    )
    export_onnx(network, tmp_path / "model.onnx", {})
    assert found == [True]


def test_export_says_nothing(network, tmp_path, capfd):
    capfd.readouterr()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        export_onnx(network, tmp_path / "model.onnx", {})
    out, err = capfd.readouterr()
    assert out + err == ""
    assert [str(warning.message) for warning in caught] == []
