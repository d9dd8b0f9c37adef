from __future__ import annotations

import json
import platform
import shlex
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
