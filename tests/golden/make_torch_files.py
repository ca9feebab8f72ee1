"""Writes tests/golden/torch/: the same dict of tensors in both formats of torch.save, and a file that asks for code to be run.

Run with Debian's python3-torch: /usr/bin/python3 make_torch_files.py. The tests need neither Python nor this script.
Every value is a multiple of 1/8 and small, so each type holds it exactly and the tests can compute it.
"""
import collections
import os
import pathlib

import torch

folder = pathlib.Path(__file__).parent / "torch"
folder.mkdir(exist_ok=True)


def ramp(*shape, dtype=torch.float32):
    count = torch.Size(shape).numel()
    return (torch.arange(count, dtype=torch.float64) / 8 - 1).reshape(shape).to(dtype)


shared = ramp(12)
module = torch.nn.Linear(2, 3)  # its state_dict carries _metadata, as every real one does
with torch.no_grad():
    module.weight.copy_(ramp(3, 2))
    module.bias.copy_(ramp(3))
state = module.state_dict()
state["f64"] = ramp(2, 2, dtype=torch.float64)
state["f16"] = ramp(5, dtype=torch.float16)
state["bf16"] = ramp(5, dtype=torch.bfloat16)
state["i64"] = torch.tensor([[-3, 1 << 40]])
state["bool"] = torch.tensor([True, False])
state["transposed"] = ramp(2, 3).t()
state["permuted"] = ramp(2, 3, 4).permute(2, 0, 1)
state["slice"] = shared[4:8]
state["column"] = shared.reshape(3, 4)[:, 1]
state["whole"] = shared
state["scalar"] = torch.tensor(0.5)
state["empty"] = torch.zeros(0, 4)
state["parameter"] = torch.nn.Parameter(ramp(2))

torch.save(state, folder / "zip.bin")
torch.save(state, folder / "stream.bin", _use_new_zipfile_serialization=False)
torch.save({"epoch": 3, "state_dict": state}, folder / "nested.bin")


class Attack:
    def __reduce__(self):
        return os.system, ("true",)


torch.save(collections.OrderedDict(weight=Attack()), folder / "attack.bin")
for file in sorted(folder.iterdir()):
    assert file.stat().st_size < 10240, file
