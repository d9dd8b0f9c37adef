"""The truth about datasets, runs and what they measured; every other room asks here."""

from marsseg.store.store import RunStore

__all__ = ["RunStore"]
