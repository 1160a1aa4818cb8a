def merge_heads(u):
    """[B, n, L, e] as [B, L, n·e]."""
    return u.transpose(1, 2).flatten(2)
