"""Launches one worker process a run and watches it: knows run ids and processes, not networks."""
