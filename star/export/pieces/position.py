def position(state):
    """The tokens that were seen before these."""
    return 0 if state is None else state["position"]
