#!/usr/bin/env python3
"""Writes the golden files that golden.cpp reads: `python3 make.py [folder]`, by default data/ beside this file.

For each case two files: `<case>.safetensors`, a checkpoint whose float32 weights are exact, and
`<case>.expected.safetensors`, in float64: `logits` [L, V], `loss` [1], and every gradient under the name of its
parameter; the tokens and targets are in its metadata.
"""
import json
import os
import sys

import torch

import reference

CONFIG = {"width": 8, "heads": 2, "vocab": 11, "seq": 8, "window": 4}
TOKENS = [3, 1, 4, 1, 10, 0, 6]
TARGETS = [1, 4, -100, 10, 0, 6, 2]

CASES = {
    "sa1": "11111", "sa2": "21111", "sa3": "31111", "sa4": "41111", "rec1": "51111", "rec2": "61111",
    "gconv1": "71111", "gconv2": "81111", "gmemless": "91111", "d_sa1": "a1111", "la1": "i1111", "swa1": "j1111",
    "rec3": "k1111", "rec4": "l1111",
    # Weights shared in part, features reused in part, a differential class, and a parallel pair.
    "shared": "b1514-91311-b1514-l1k16-l1k162-91311",
    # Overrides: banded swish scores of convolved keys, repeated twice and of twice the width.
    "override": "11111|1:12243|%1:21211,23221,21221",
    # The other differential classes.
    "d_sa2": "b1111", "d_sa3": "c1111", "d_sa4": "d1111", "d_rec1": "e1111", "d_rec2": "f1111", "d_gconv1": "g1111",
    "d_gconv2": "h1111", "d_la1": "m1111", "d_swa1": "n1111", "d_rec3": "o1111", "d_rec4": "p1111",
    # Decays by key channel.
    "rec5": "q1111", "rec6": "r1111", "d_rec5": "s1111", "d_rec6": "t1111",
    # Steps of the delta rule up to 2; convolutions of 4, 7 and 15 taps; heads of unit RMS; all features of Rec-6 shared.
    "twice": "l1111-r1111|%c:21111,21118,21111,21114,31115,3111a|%e:21111,25118,21111,21114,4111b,3111a",
    "taps": "11111-71111|%1:2511c,2611c,27111|%7:25111,21111,26111,17111", "shared6": "r1212-91111-r1212",
}

# The gradient of λ is one sum. With these weights it does not nearly cancel, as it does with the first that come.
RESEEDED = {"shared": 101, "d_sa4": 101, "d_rec2": 101}


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
    os.makedirs(folder, exist_ok=True)
    for seed, (name, genome) in enumerate(CASES.items(), 1):
        arch = reference.Architecture(genome, CONFIG)
        weights = reference.random_weights(arch, RESEEDED.get(name, seed))
        loss, grads = reference.gradients(arch, weights, TOKENS, TARGETS)
        expected = {"logits": reference.logits(arch, weights, TOKENS), "loss": torch.tensor([loss]), **grads}
        path = os.path.join(folder, name)
        reference.write_safetensors(path + ".safetensors", weights, {
            "format": "star-checkpoint/2", "genome": genome, "config": json.dumps(CONFIG)}, "F32")
        reference.write_safetensors(path + ".expected.safetensors", expected, {
            "tokens": json.dumps(TOKENS), "targets": json.dumps(TARGETS)}, "F64")


if __name__ == "__main__":
    main()
