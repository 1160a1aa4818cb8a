import torch


def unit_length(u):
    """u [B, n, L, e], each head divided by its length."""
    return u / torch.sqrt((u * u).sum(-1, keepdim=True) + 1e-12)
