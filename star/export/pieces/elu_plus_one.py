import torch


def elu_plus_one(u):
    """u + 1 above 0, exp(u) below: positive, and without the cancellation of expm1(u) + 1."""
    return torch.where(u > 0, u + 1, torch.exp(u.clamp(max=0)))
