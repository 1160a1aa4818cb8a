import torch


def visible(L, T, window, device):
    """[L, T]: whether the last L of T tokens see each of them: none that follows, and of the past `window` with itself."""
    i, j = torch.arange(T - L, T, device=device)[:, None], torch.arange(T, device=device)
    return j <= i if window is None else (j <= i) & (j > i - window)
