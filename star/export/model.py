"""A sequence model that `star` has found, written for PyTorch (2.4 or newer) by `star export`.

    genome      @genome@
    parameters  @parameters@

    from model import load
    model = load(FOLDER)                          # that holds model.safetensors
    logits = model(tokens)                        # [B, L] → [B, L, V], with gradients: the form for training
    logits, cache = model.step(tokens)            # the same, and what is needed to go on
    logits, cache = model.step(token, cache)      # [B, 1] → [B, 1, V]; more tokens at once will do, too

Parameters are called as in the checkpoint, and what layers share exists once. A model that is made by `Model()` has no
useful weights before it has loaded some. Shapes: B sequences, L tokens, T of them with those of the cache, H heads of
e channels, C channels, N states.
"""


class Model(nn.Module):
    """h ← h + layer(norm(h)) for one layer after the other; the logits are products with the embedding."""

    # layers

    def forward(self, tokens):
        return self.logits(tokens)

    def step(self, tokens, cache=None):
        """Logits [B, L, V] of tokens [B, L] that follow those which made the cache, and the cache after them. The one
        that was given stays as it was. A cache is a list: of each layer its tensors by name, and the position."""
        states = [dict(state) for state in cache or [{"position": 0}] * len(self.blocks)]
        logits = self.logits(tokens, states)
        for state in states:
            state["position"] += tokens.shape[1]
        return logits, states

    @staticmethod
    def reorder(cache, rows):
        """The cache of other sequences of the batch, as beam search wants it. What all have in common has one row."""
        def chosen(value):
            return value[rows] if torch.is_tensor(value) and len(value) > 1 else value
        return [{name: chosen(value) for name, value in state.items()} for state in cache]


def load(folder, device="cpu"):
    """The model with the weights of the folder."""
    model = Model()
    model.load_state_dict(load_file(os.path.join(folder, "model.safetensors")))
    return model.to(device).eval()
