"""Prints what transformers, torch and scikit-learn say of options of training, as it stands in tests/optim/schedule_test.cpp,
tests/losses/losses_test.cpp and tests/train/class_weights_test.cpp.   usage: VENV/bin/python tests/peers/training_options.py"""

import numpy as np
import torch
from sklearn.utils.class_weight import compute_class_weight
from transformers import get_scheduler


def show(name, numbers):
    print(name + ": " + ", ".join(repr(float(x)) for x in np.asarray(numbers).flatten()))


# get_scheduler's factors of steps 0 .. 10, warm-up 3 or 0
for kind, warmup in (("cosine", 3), ("cosine", 0), ("constant_with_warmup", 3), ("constant", 3), ("linear", 3)):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    factor = get_scheduler(kind, optimizer, num_warmup_steps=warmup, num_training_steps=10).lr_lambdas[0]
    show(f"{kind}, warm-up {warmup}", [factor(k) for k in range(11)])

# losses with weights and smoothing: logits as in the test, f64
z = torch.tensor([[0.3, -1.2, 2.0], [1.5, 0.1, -0.4], [-0.7, 0.9, 0.2], [0.0, 0.0, 4.0]], dtype=torch.float64)
weights = torch.tensor([0.5, 2.0, 1.25], dtype=torch.float64)
labels = torch.tensor([2, 0, 1, 1])
for name, w, smoothing in (("weights", weights, 0.0), ("smoothing", None, 0.1), ("weights and smoothing", weights, 0.1)):
    x = z.clone().requires_grad_()
    loss = torch.nn.CrossEntropyLoss(weight=w, label_smoothing=smoothing)(x, labels)
    loss.backward()
    show(f"cross entropy, {name}", [loss.item()])
    show(f"cross entropy, {name}, gradient", x.grad)
x = z.clone().requires_grad_()
sets = torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1]], dtype=torch.float64)
loss = torch.nn.BCEWithLogitsLoss(pos_weight=weights)(x, sets)
loss.backward()
show("several labels, pos_weight", [loss.item()])
show("several labels, pos_weight, gradient", x.grad)

y = [0] * 5 + [1] * 2 + [2] * 3
show("balanced, 5, 2 and 3 rows", compute_class_weight("balanced", classes=np.arange(3), y=np.array(y)))
