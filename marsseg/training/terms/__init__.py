"""The terms of the loss: pure functions of masks (B, H, W) and logits (B, H, W, 5)."""
