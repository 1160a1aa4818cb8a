import torch


def in_chunks(step, sequences, dim, state, name, size=64):
    """y of y, h = step(h, *chunk) over chunks of tokens, so that work and memory grow with their number alone.

    h is None at first. It goes from chunk to chunk, and from call to call in `state` under `name`.
    """
    h = None if state is None else state.get(name)
    outputs = []
    for chunk in zip(*(u.split(size, dim) for u in sequences)):
        y, h = step(h, *chunk)
        outputs.append(y)
    if state is not None:
        state[name] = h
    return torch.cat(outputs, dim)
