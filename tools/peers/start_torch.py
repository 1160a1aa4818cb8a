"""PyTorch from the start of its process to the gradients of one step: what peers.py times against star's start.

    start_torch.py DUMP.safetensors
"""
import json
import sys

from star_side import read_safetensors


def main():
    metadata, arrays = read_safetensors(sys.argv[1])
    import torch
    from liv_torch import Model
    from operators import first_plan
    from parameters import sizes_of
    parameters = {n: a for n, a in arrays.items() if f"grad.{n}" in arrays}
    genome = metadata["genome"]
    model = Model(genome, sizes_of(json.loads(metadata["config"])), parameters, first_plan(genome[0]))
    model.loss_and_gradients(*(torch.from_numpy(arrays[n]).long() for n in ("tokens", "targets")))


if __name__ == "__main__":
    main()
