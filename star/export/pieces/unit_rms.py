import torch


def unit_rms(u, weight):
    """u [B, n, L, e], each head divided by the root of its mean square, times the weight [e]."""
    return u / torch.sqrt((u * u).mean(-1, keepdim=True) + 1e-6) * weight
