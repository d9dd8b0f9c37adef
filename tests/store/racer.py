"""A process of a race: runs the scripts that it is sent, each as soon as all others are ready too.

Started once for all tests, because starting takes longer than racing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from marsseg.settings import PROJECT_ROOT


class Race:
    """A call runs one script in several processes at once; returns what each leaves in `result`.

    A script finds its `number`, its `arguments`, RunStore, and the names of `tests.store.building`.
    """

    def __init__(self, processes: int) -> None:
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.store.racer", str(number)],
                cwd=PROJECT_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                bufsize=1,
            )
            for number in range(processes)
        ]

    def __call__(self, script: str, *arguments: str) -> list[Any]:
        self._tell({"script": script, "arguments": arguments})
        assert self._answers() == ["ready"] * len(self._processes)
        self._tell("go")
        results = self._answers()
        errors = [result["error"] for result in results if "error" in result]
        assert not errors, errors
        return [result["result"] for result in results]

    def close(self) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self._processes:
            process.wait(timeout=60)
            assert process.stdout is not None
            process.stdout.close()

    def _tell(self, message: Any) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(json.dumps(message) + "\n")

    def _answers(self) -> list[Any]:
        lines = [process.stdout.readline() for process in self._processes if process.stdout]
        return [json.loads(line) for line in lines]


def main(number: int) -> None:
    import tests.store.building as names
    from marsseg.store import RunStore

    for line in sys.stdin:
        message = json.loads(line)
        space = {**vars(names), "RunStore": RunStore, "number": number, "arguments": message["arguments"]}
        print(json.dumps("ready"), flush=True)  # noqa: T201
        sys.stdin.readline()
        try:
            exec(message["script"], space)
            answer = {"result": space["result"]}
        except Exception as error:  # noqa: BLE001
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]))
