"""`python -m marsseg`: the lab from a terminal."""

from __future__ import annotations

from marsseg.cli import main

if __name__ == "__main__":
    main()
