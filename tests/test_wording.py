from __future__ import annotations

import pytest

from marsseg.wording import counted, joined


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (1_200, "1,200 runs")]
)
def test_one_of_a_thing_is_told_as_one(count: int, words: str) -> None:
    assert counted(count, "run") == words


@pytest.mark.parametrize(
    ("parts", "words"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_a_list_reads_as_in_a_sentence(parts: list[str], words: str) -> None:
    assert joined(parts, "or") == words
