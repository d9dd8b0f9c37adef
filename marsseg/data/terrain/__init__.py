"""Procedural Mars: reliefs under a low sun, seen from a rover's mast. Everything is drawn from one seed."""
