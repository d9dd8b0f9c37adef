"""Tells what it finds around itself; exits with status 3."""

from __future__ import annotations

import json
import os
import sys

from marsseg.settings import load_settings

if __name__ == "__main__":
    run_id = sys.argv[1]
    told = {
        "session": os.getsid(0),
        "group": os.getpgid(0),
        "cwd": os.getcwd(),  # noqa: PTH109
        "stdin": sys.stdin.read(),
        "environment": dict(os.environ),
    }
    (load_settings().run_dir(run_id) / "told.json").write_text(json.dumps(told))
    sys.stdout.write("said on stdout\n")
    sys.stderr.write("said on stderr\n")
    if run_id == "chatty":
        sys.stdout.write("noise " * 200_000)
    sys.exit(3)
