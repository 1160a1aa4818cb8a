import torch


def rotate(u, start, base=10000.0):
    """Rotary positions of u [B, n, L, e], the first being `start`: channels r and r + e/2 turn by t·base^(−2r/e)."""
    L, e = u.shape[-2:]
    exact = {"dtype": torch.promote_types(u.dtype, torch.float32), "device": u.device}
    rates = base ** (torch.arange(e // 2, **exact) * (-2 / e))
    angle = torch.arange(start, start + L, **exact)[:, None] * rates
    cos, sin = angle.cos().to(u.dtype), angle.sin().to(u.dtype)
    a, b = u.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)
