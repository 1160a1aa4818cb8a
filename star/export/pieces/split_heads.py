def split_heads(u, e):
    """[B, L, n·e] as [B, n, L, e]."""
    return u.unflatten(-1, (-1, e)).transpose(1, 2)
