"""Terms of the loss: pure functions of masks (B, H, W), logits (B, H, W, 5) and five class weights."""

from marsseg.training.terms.boundary import boundary
from marsseg.training.terms.lovasz import lovasz_softmax
from marsseg.training.terms.overlap import dice, focal_tversky, generalized_dice, tversky
from marsseg.training.terms.pixels import cross_entropy, focal, top_k

__all__ = [
    "boundary",
    "cross_entropy",
    "dice",
    "focal",
    "focal_tversky",
    "generalized_dice",
    "lovasz_softmax",
    "top_k",
    "tversky",
]
