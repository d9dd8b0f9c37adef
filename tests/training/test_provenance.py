from __future__ import annotations

import json
import platform
import shlex
import subprocess
import sys
from importlib import metadata

from marsseg.training import provenance


def test_versions_machine_and_command_are_plain_json():
    facts = provenance.collect_provenance()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["python"] == platform.python_version()
    assert facts["packages"]["numpy"] == metadata.version("numpy")
    assert shlex.split(facts["command"]) == [sys.executable, *sys.orig_argv[1:]]


def test_without_git_the_commit_is_unknown_and_nothing_fails(monkeypatch, tmp_path):
    monkeypatch.setattr(provenance, "PROJECT_ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    facts = provenance.collect_provenance()
    assert facts["git_commit"] is None
    assert facts["git_dirty"] is None


def test_all_packages_that_decide_numbers_are_named():
    packages = provenance.collect_provenance()["packages"]
    wanted = ["tensorflow", "keras", "numpy", "scipy", "tf2onnx", "onnx", "onnxruntime"]
    assert packages == {name: metadata.version(name) for name in wanted}


def test_the_commit_is_that_of_the_checkout_and_changes_are_noticed(monkeypatch, tmp_path):
    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
        done = subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    code = tmp_path / "code.py"
    code.write_text("print(1)")
    git("init")
    git("add", "code.py")
    git("commit", "-m", "code")
    monkeypatch.setattr(provenance, "PROJECT_ROOT", tmp_path)
    facts = provenance.collect_provenance()
    assert (facts["git_commit"], facts["git_dirty"]) == (git("rev-parse", "HEAD"), False)
    (tmp_path / "runs.db").write_text("results are no code")
    assert provenance.collect_provenance()["git_dirty"] is False
    code.write_text("print(2)")
    assert provenance.collect_provenance()["git_dirty"] is True
