import torch


def precise(u):
    """u in float32 at least: recurrences and transforms lose too much in half precision."""
    return u.to(torch.promote_types(u.dtype, torch.float32))
