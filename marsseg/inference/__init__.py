"""Use an exported network: load it, segment images of any size, and draw masks."""
