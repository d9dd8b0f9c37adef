"""MarsSeg Lab: train small segmentation networks on Mars terrain and learn which change helped."""

__version__ = "0.1.0"
