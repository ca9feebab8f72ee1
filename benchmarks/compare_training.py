#!/usr/bin/env python3
"""graft against PyTorch: training and evaluation of a roberta-base shape on the same rows, side by side in one run.

  benchmarks/compare_training.py --build BUILD [--quick] [--json FILE] [...]

BUILD is a build folder with -DGRAFT_BUILD_BENCHMARKS=ON. Needs Debian's python3-torch, and libopenblas0-pthread or -openmp, because its own
BLAS is the slow reference one. In every cell each contestant is a process of its own that does one step when told to and sleeps otherwise;
they take turns on the same batches, so that a busy neighbor slows all of them. The rows are those of MRPC and RTE where --shared has
data/glue and data/tokenizer/roberta-base, else random ids in sequences of the same lengths.

PyTorch runs as
  original   f32, padded to 128 tokens, gradients of the whole trunk in single-adapter training, GELU by its formula, stacked adapters
  best f32   frozen trunk without gradients, padded to the longest of the batch, F.gelu, masks of dropout from fewer random numbers
  best bf16  the same with the frozen weights and all activations in bf16
"""
import argparse
import contextlib
import ctypes
import json
import math
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time

# Lengths in tokens of the training rows, cut to 128: the shortest, then the end of every twentieth of them.
LENGTHS = {
    "mrpc": [20, 34, 37, 40, 42, 45, 46, 48, 50, 52, 54, 56, 58, 60, 61, 63, 65, 68, 71, 75, 104],
    "rte": [18, 30, 34, 38, 41, 44, 46, 49, 51, 54, 57, 60, 63, 67, 74, 86, 105, 121, 128, 128, 128],
}
LONGEST = 128
PAD = 1
THREADS = 2


# ---- PyTorch's side: a process started with --worker, in which alone torch is imported ----


def read_safetensors(path):
    """Config, and name -> f32 tensor, of a flat model file."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        start = file.tell()
        config = json.loads(header.pop("__metadata__")["config"])
        tensors = {}
        for name, entry in header.items():
            tensors[name] = torch.empty(entry["shape"])
            file.seek(start + entry["data_offsets"][0])
            file.readinto(tensors[name].numpy())
    return config, tensors


class FastDropout:
    """F.dropout, but from 16 random bits an element: Debian's PyTorch draws its masks on one thread, number by number."""

    def __init__(self, rate):
        self.threshold = round(rate * 65536) - 32768
        self.scale = 1 / (1 - rate)

    def __call__(self, x):
        bits = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
        return x * (bits[: x.numel()] >= self.threshold).view(x.shape).to(x.dtype).mul_(self.scale)


class Classifier:
    """RoBERTa with an adapter at every site (ADAPTERS 0), or a mix of ADAPTERS adapters and the base, and a head. In a mix all adapters are
    the one of the file: their values do not matter here."""

    def __init__(self, config, tensors, adapters, original, half):
        self.original, self.adapters = original, adapters
        self.layers, self.heads, self.width = (config[k] for k in ("num_hidden_layers", "num_attention_heads", "hidden_size"))
        self.eps = config["layer_norm_eps"]
        rate = config["hidden_dropout_prob"]
        self.drop = (lambda x: F.dropout(x, rate)) if original else FastDropout(rate)
        self.training = False
        self.type = torch.bfloat16 if half else torch.float32
        self.p = dict(tensors)
        if adapters:
            self.p["weighted_sum"] = torch.full([adapters + 1], 1 / (adapters + 1))
        added = [n for n in self.p if n.startswith("classifier.") or n == "weighted_sum"]
        single = [n for n in self.p if ".adapter." in n or ".LayerNorm." in n]
        trained = set(added if adapters else added + single)
        for name, tensor in self.p.items():
            wanted = name in trained or (original and not adapters)  # nlprunners leaves the trunk's gradients on
            self.p[name] = tensor.requires_grad_() if wanted else tensor.to(self.type)
        if adapters and original:  # stacked at the start, like the frozen parameters that they are in nlprunners
            for layer in range(self.layers):
                for site in (f"roberta.encoder.layer.{layer}.attention.output", f"roberta.encoder.layer.{layer}.output"):
                    self.stack(site)
        # nlprunners adds up the trunk's gradients from step to step, and scales them all by their common norm.
        self.clipped = [t for t in self.p.values() if t.requires_grad]
        mixing = [t for n, t in self.p.items() if n == "weighted_sum"]
        groups = [{"params": [self.p[n] for n in trained if n != "weighted_sum"]}, {"params": mixing, "lr": 1e-2}]
        self.optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=1e-4)

    def stack(self, site):
        adapter, k = site + ".adapter", self.adapters
        self.p[site + ".down.weight"] = self.p[adapter + ".down_project.weight"].repeat(k, 1)
        self.p[site + ".down.bias"] = self.p[adapter + ".down_project.bias"].repeat(k)
        self.p[site + ".up.weight"] = self.p[adapter + ".up_project.weight"].t().repeat(k, 1, 1).unsqueeze(1).contiguous()
        self.p[site + ".up.bias"] = self.p[adapter + ".up_project.bias"].repeat(k, 1, 1, 1)
        for part in ("weight", "bias"):
            self.p[f"{site}.norms.{part}"] = self.p[f"{site}.LayerNorm.{part}"].repeat(k, 1)

    def get(self, name):
        return self.p[name].to(self.type)  # itself, but for what is trained in f32 beside bf16

    def linear(self, x, name):
        return F.linear(x, self.get(name + ".weight"), self.get(name + ".bias"))

    def norm(self, x, name):
        return F.layer_norm(x, (self.width,), self.get(name + ".weight"), self.get(name + ".bias"), self.eps)

    def gelu(self, x):
        return x * 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0))) if self.original else F.gelu(x)

    def dropout(self, x):
        return self.drop(x) if self.training else x

    def adapter(self, h, site):
        return h + self.linear(self.gelu(self.linear(h, site + ".adapter.down_project")), site + ".adapter.up_project")

    def mixed(self, h, x, site):
        weights = torch.softmax(self.get("weighted_sum"), 0)
        if not self.original:
            branches = [self.norm(self.adapter(h, site) + x, site + ".LayerNorm") for _ in range(self.adapters)]
            return sum(w * y for w, y in zip(weights, branches + [self.norm(h + x, site + ".LayerNorm")]))
        inner = self.gelu(self.linear(h, site + ".down")).unflatten(-1, (self.adapters, -1)).permute(2, 0, 1, 3)
        stacked = h + torch.matmul(inner, self.p[site + ".up.weight"]) + self.p[site + ".up.bias"]
        joint = stacked.permute(1, 2, 0, 3) + x.unsqueeze(-2)
        joint = F.layer_norm(joint, joint.shape[-2:], self.p[site + ".norms.weight"], self.p[site + ".norms.bias"], self.eps)
        every = torch.cat([joint, self.norm(h + x, site + ".LayerNorm").unsqueeze(-2)], -2)
        return (weights.view(-1, 1) * every).sum(-2)

    def site(self, h, x, site):
        h = self.dropout(self.linear(h, site + ".dense"))
        return self.mixed(h, x, site) if self.adapters else self.norm(self.adapter(h, site) + x, site + ".LayerNorm")

    def attention(self, x, mask, prefix):
        q, k, v = (self.linear(x, prefix + n).unflatten(-1, (self.heads, -1)).transpose(1, 2) for n in ("query", "key", "value"))
        scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(q.shape[-1]) + mask
        return torch.matmul(self.dropout(torch.softmax(scores, -1)), v).transpose(1, 2).flatten(2)

    def forward(self, ids):
        real = ids.ne(PAD).long()
        mask = ((1.0 - real[:, None, None, :]) * -10000.0).to(self.type)
        e = "roberta.embeddings."
        x = F.embedding(ids, self.get(e + "word_embeddings.weight"))
        x = x + F.embedding(real.cumsum(1) * real + PAD, self.get(e + "position_embeddings.weight"))
        x = x + F.embedding(torch.zeros_like(ids), self.get(e + "token_type_embeddings.weight"))
        x = self.dropout(self.norm(x, e + "LayerNorm"))
        for layer in range(self.layers):
            prefix = f"roberta.encoder.layer.{layer}."
            x = self.site(self.attention(x, mask, prefix + "attention.self."), x, prefix + "attention.output")
            x = self.site(self.gelu(self.linear(x, prefix + "intermediate.dense")), x, prefix + "output")
        h = self.dropout(torch.tanh(self.linear(self.dropout(x[:, 0]), "classifier.dense")))
        return self.linear(h, "classifier.out_proj").float()

    def step(self, ids, labels):
        self.training = True
        loss = F.cross_entropy(self.forward(ids), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.clipped, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=not self.original)
        return loss.item()

    @contextlib.contextmanager
    def evaluating(self):
        self.training = False
        with torch.no_grad():
            yield


def product_rate():
    """GFLOP/s of the forward of a linear layer, f32."""
    x, w = torch.randn(1024, 768), torch.randn(3072, 768)
    seconds = []
    for _ in range(8):
        begin = time.perf_counter()
        F.linear(x, w)
        seconds.append(time.perf_counter() - begin)
    return 2 * 1024 * 768 * 3072 / statistics.median(seconds) / 1e9


def blas_in_use():
    """The BLAS libraries that this process has loaded, and OpenBLAS's words on itself."""
    with open("/proc/self/maps") as maps:
        loaded = sorted({os.path.realpath(line.split()[-1]) for line in maps if "blas" in os.path.basename(line.split()[-1])})
    openblas = [path for path in loaded if "libopenblas" in path]
    if not openblas:
        return ", ".join(loaded)
    config = ctypes.CDLL(openblas[0]).openblas_get_config
    config.restype = ctypes.c_char_p
    return f"{openblas[0]} ({config().decode().strip()})"


def torch_worker(variant, setup, model, rows_path):
    global torch, F
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(THREADS)
    if variant == "check":
        print(json.dumps({"version": torch.__version__, "blas": blas_in_use(), "product_gflops": product_rate()}), flush=True)
        return
    with open(rows_path) as file:
        rows = [json.loads(line) for line in file]
    original = variant == "original"
    adapters = int(setup[3:]) if setup.startswith("mix") else 0
    classifier = Classifier(*read_safetensors(model), adapters, original, variant == "best bf16")
    for line in sys.stdin:
        request = json.loads(line)
        begin = time.perf_counter()
        batch = [rows[(request["first"] + i) % len(rows)] for i in range(request["batch"])]
        length = LONGEST if original else max(len(row["input_ids"]) for row in batch)
        ids = torch.tensor([row["input_ids"] + [PAD] * (length - len(row["input_ids"])) for row in batch])
        answer = {}
        if request["do"] == "train":
            answer["loss"] = classifier.step(ids, torch.tensor([int(row["label"]) for row in batch]))
        else:
            with classifier.evaluating():
                answer["logits"] = classifier.forward(ids).flatten().tolist()
        answer["seconds"] = time.perf_counter() - begin
        answer["rows"], answer["tokens"] = len(batch), sum(len(row["input_ids"]) for row in batch)
        print(json.dumps(answer), flush=True)


# ---- the driver ----


class Crash(Exception):
    """A contestant that ended; why."""


class Worker:
    def __init__(self, command, environment):
        self.started = time.perf_counter()
        pipe, environment = subprocess.PIPE, {**os.environ, **environment}
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)

    def ask(self, **request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self.process.wait()
            raise Crash(signal.Signals(-code).name if code < 0 else f"exit code {code}")
        return json.loads(line)

    def peak_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Bench:
    def __init__(self, options):
        self.o = options
        self.graft = os.path.join(options.build, "benchmarks", "graft_benchmark_compare_training")
        self.folder = tempfile.TemporaryDirectory(prefix="graft_compare_")
        self.environment = {
            "OMP_NUM_THREADS": str(THREADS),
            "OPENBLAS_NUM_THREADS": str(THREADS),
            "GOMP_SPINCOUNT": "3000",  # as graft runs; who waits for its turn must not spin on
        }
        self.cells = []

    def file(self, name):
        return os.path.join(self.folder.name, name)

    def run_graft(self, *arguments, **more):
        return subprocess.run([self.graft, *arguments], check=True, **more)

    def torch_environment(self, variant):
        e = dict(self.environment)
        with open("/proc/cpuinfo") as info:
            if "avx512f" in info.read():
                e["OPENBLAS_CORETYPE"] = "SkylakeX"  # or it picks kernels for AVX2 on processors that are younger than it
        preload = [self.o.blas] if self.o.blas else []
        if variant == "best bf16" and self.o.torch_preload:
            preload.append(os.path.abspath(self.o.torch_preload))
        if preload:
            e["LD_PRELOAD"] = ":".join(preload)
        return e

    def start(self, contestant, setup, rows):
        """CONTESTANT: graft PRECISION, original, best f32 or best bf16."""
        if contestant.startswith("graft "):
            return Worker([self.graft, "serve", self.model, rows, setup, contestant.split()[1]], self.environment)
        script = os.path.abspath(__file__)
        command = [self.o.python, script, "--worker", contestant, "--setup", setup, "--model", self.model, "--rows", rows]
        return Worker(command, self.torch_environment(contestant))

    def prepare(self):
        if not os.path.exists(self.graft):
            sys.exit(f"{self.graft} is not there: configure with -DGRAFT_BUILD_BENCHMARKS=ON and build it")
        check = subprocess.run(
            [self.o.python, os.path.abspath(__file__), "--worker", "check"], env={**os.environ, **self.torch_environment("check")},
            stdout=subprocess.PIPE, text=True,
        )
        if check.returncode:
            sys.exit(f"{self.o.python} cannot run PyTorch (see above): Debian's is in the package python3-torch")
        self.torch = json.loads(check.stdout)
        if self.torch["product_gflops"] < 30:
            sys.exit(f"PyTorch's f32 product reaches {self.torch['product_gflops']:.1f} GFLOP/s with {self.torch['blas'] or 'no BLAS'}: "
                     "install libopenblas0-pthread, or name a fast BLAS with --blas")
        self.model = self.o.model or self.file("model.safetensors")
        if not self.o.model:
            self.say("writing a random model")
            self.run_graft("write_model", self.model)

    def say(self, text):
        print(f"... {text}", file=sys.stderr, flush=True)

    def write_rows(self, name, rows):
        path = self.file(name + ".jsonl")
        with open(path, "w") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        return path

    def task_rows(self, task):
        """The file of the task's training rows in an order that is shuffled once, and where they come from."""
        glue, tokenizer = (os.path.join(self.o.shared, "data", *p) for p in (["glue"], ["tokenizer", "roberta-base"]))
        shuffle = random.Random(1)
        if os.path.isdir(os.path.join(glue, task.upper())) and os.path.isdir(tokenizer):
            text = self.run_graft("rows", glue, task, tokenizer, stdout=subprocess.PIPE, text=True).stdout
            rows, source = [json.loads(line) for line in text.splitlines()], "real"
        else:
            steps = LENGTHS[task]
            rows, source = [], "generated"
            for _ in range(2000):
                place = shuffle.random() * (len(steps) - 1)
                low = int(place)
                length = round(steps[low] + (place - low) * (steps[low + 1] - steps[low]))
                rows.append(random_row(shuffle, length))
        shuffle.shuffle(rows)
        mean = statistics.mean(len(row["input_ids"]) for row in rows)
        print(f"{task}: {len(rows)} {source} rows, {mean:.1f} tokens on average")
        return self.write_rows(task, rows)

    def cell(self, name, do, contestants, rows, batch, steps, warm_up):
        """Lets CONTESTANTS, (name, setup) each, take turns; each in a fresh process."""
        result = {"cell": name, "do": do, "batch": batch, "contestants": {}}
        running = {}
        for contestant, setup in contestants:
            key = contestant if setup in ("adapter", "mix2") else f"{contestant} {setup}"
            result["contestants"][key] = {"setup": setup, "seconds": [], "rows": [], "tokens": []}
            running[key] = self.start(contestant, setup, rows)
        for round_ in range(warm_up + steps):
            for key in list(running):
                entry = result["contestants"][key]
                try:
                    answer = running[key].ask(do=do, batch=batch, first=round_ * batch)
                except Crash as crash:
                    entry["crash"] = str(crash)
                    self.say(f"{name}: {key} crashes ({crash})")
                    del running[key]
                    continue
                if round_ == 0:
                    entry["first_logits"] = answer.get("logits")
                if round_ >= warm_up:
                    for field in ("seconds", "rows", "tokens"):
                        entry[field].append(answer[field])
                self.say(f"{name}, step {round_ + 1} of {warm_up + steps}: {key} {answer['seconds']:.3f} s")
                time.sleep(0.05)  # OpenBLAS's threads spin this long before they sleep
        for key, worker in running.items():
            result["contestants"][key]["peak_bytes"] = worker.peak_bytes()
            worker.close()
        self.cells.append(result)
        return result

    def first_step(self, rows, precision):
        """Seconds from the start of a fresh graft process, with the model in the page cache, to the end of its first training step."""
        seconds = []
        for _ in range(1 if self.o.quick else 3):
            worker = self.start(f"graft {precision}", "adapter", rows)
            try:
                worker.ask(do="train", batch=8, first=0)
            except Crash as crash:
                return f"crashes: {crash}"
            seconds.append(time.perf_counter() - worker.started)
            worker.close()
        return statistics.median(seconds)


def random_row(source, length):
    return {"input_ids": [0] + [source.randrange(3, 50265) for _ in range(length - 2)] + [2], "label": str(source.randrange(2))}


def pace(entry):
    """Examples a second: the median over the steps, the slowest and the fastest."""
    paces = sorted(r / s for r, s in zip(entry["rows"], entry["seconds"]))
    return statistics.median(paces), paces[0], paces[-1]


def ratio(cell, ours, theirs):
    """How many times faster OURS is than THEIRS: the median over the steps, each of the same batch, with the smallest and largest."""
    a, b = (cell["contestants"].get(key) for key in (ours, theirs))
    if a is None or b is None:
        return None
    crashed = [f"{key} crashes: {e['crash']}" for key, e in ((ours, a), (theirs, b)) if "crash" in e]
    if crashed:
        return crashed[0]
    ratios = [t / s for s, t in zip(a["seconds"], b["seconds"])]
    return statistics.median(ratios), min(ratios), max(ratios)


def measure(bench):
    o = bench.o
    grafts = [f"graft {p}" for p in o.precisions.split(",")]
    ours = grafts[0]
    steps, warm_up = (3, 2) if o.quick else (o.steps, 2)
    batches = [8] if o.quick else [8, 32]
    table = []

    def row(what, value):
        if value is not None:
            table.append({"what": what, "value": value})

    def compare(cell, *variants):
        for theirs in variants:
            row(f"{cell['cell']}: {ours} / PyTorch {theirs}", ratio(cell, ours, theirs))
        if ours != "graft f32":
            row(f"{cell['cell']}: graft f32 / PyTorch best f32", ratio(cell, "graft f32", "best f32"))

    rows = {task: bench.task_rows(task) for task in (["mrpc"] if o.quick else o.tasks.split(","))}
    for task, path in rows.items():
        for batch in batches:
            single = [(c, "adapter") for c in [*grafts, "original", "best f32", "best bf16"]]
            cell = bench.cell(f"adapter training, {task}, batch {batch}", "train", single, path, batch, steps, warm_up)
            compare(cell, "original", "best f32", "best bf16")
        for batch in batches:
            mixes = [(ours, "mix2"), (ours, "mix8"), ("original", "mix2"), ("best f32", "mix2")]
            cell = bench.cell(f"multi-adapter training, {task}, batch {batch}", "train", mixes, path, batch, steps, warm_up)
            compare(cell, "original", "best f32")
            row(f"{cell['cell']}: seconds of {ours} with 8 adapters / with 2", ratio(cell, ours, f"{ours} mix8"))
        for batch in batches:
            cell = bench.cell(f"evaluation, {task}, batch {batch}", "evaluate", single, path, batch, steps, warm_up)
            compare(cell, "original", "best f32", "best bf16")
            truth = cell["contestants"]["best f32"].get("first_logits")
            for key, entry in cell["contestants"].items():
                if truth and entry.get("first_logits") and key != "best f32":
                    entry["logit_difference"] = max(abs(a - b) for a, b in zip(truth, entry["first_logits"]))

    full = random.Random(2)
    path = bench.write_rows("full", [random_row(full, LONGEST) for _ in range(32)])
    single = [(c, "adapter") for c in [*grafts, "best f32"]]
    cell = bench.cell("memory, adapter training, batch 32 of 128 tokens", "train", single, path, 32, 1, 1)
    torch_peak = cell["contestants"]["best f32"].get("peak_bytes")
    for graft in grafts:
        peak = cell["contestants"][graft].get("peak_bytes")
        row(f"peak memory, batch 32 of 128 tokens: {graft} / PyTorch best f32", peak / torch_peak if peak and torch_peak else "crashes")
    task, path = next(iter(rows.items()))
    with open(path) as file:
        few = bench.write_rows("few", [json.loads(next(file)) for _ in range(8)])
    row(f"seconds from start to first step done, {task}, batch 8: {ours}", bench.first_step(few, ours.split()[1]))
    return table


def print_tables(bench, table):
    print(f"\n{'cell':<50} {'contestant':<18} {'seconds':>8} {'rows/s':>8} {'slowest':>8} {'fastest':>8} {'tokens/s':>9} {'peak GB':>8}")
    for cell in bench.cells:
        for key, entry in cell["contestants"].items():
            start = f"{cell['cell']:<50} {key:<18}"
            if "crash" in entry:
                print(f"{start} crashes: {entry['crash']}")
                continue
            middle, slowest, fastest = pace(entry)
            tokens = statistics.median(t / s for t, s in zip(entry["tokens"], entry["seconds"]))
            line = f"{start} {statistics.median(entry['seconds']):8.3f} {middle:8.2f} {slowest:8.2f} {fastest:8.2f} {tokens:9.0f}"
            print(f"{line} {entry['peak_bytes'] / 1e9:8.2f}")
    for cell in bench.cells:
        differences = {key: e["logit_difference"] for key, e in cell["contestants"].items() if "logit_difference" in e}
        if differences:
            listed = ", ".join(f"{key} {value:.1e}" for key, value in differences.items())
            print(f"\n{cell['cell']}: largest difference of a logit from PyTorch best f32, first batch: {listed}")
    print(f"\n{'what':<86} {'median':>8} {'least':>8} {'most':>8}")
    for line in table:
        value = line["value"]
        numbers = value if isinstance(value, tuple) else (value,)
        print(f"{line['what']:<86} " + " ".join(f"{v:>8.2f}" if isinstance(v, float) else str(v) for v in numbers))


def cpu_name():
    with open("/proc/cpuinfo") as info:
        return next((line.split(":")[1].strip() for line in info if line.startswith("model name")), platform.machine())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = os.path.dirname(os.path.abspath(__file__))
    a = parser.add_argument
    a("--build", help="build folder with the benchmarks")
    a("--quick", action="store_true", help="MRPC, batch 8, 3 steps a cell")
    a("--steps", type=int, default=7, help="measured steps a cell, after 2 that are not")
    a("--tasks", default="mrpc,rte")
    a("--precisions", default="bf16,f32", help="graft's, with commas; the first is the one that is compared (default %(default)s)")
    a("--json", help="write everything that was measured there")
    a("--shared", default=os.environ.get("GRAFT_SHARED", os.path.join(here, "..", "..", "shared")), help="folder with data/")
    a("--python", default="/usr/bin/python3", help="the Python that has PyTorch (default %(default)s)")
    a("--blas", help="BLAS library to load before PyTorch's; default: Debian's OpenBLAS, if it is there")
    a("--torch_preload", help="library to load before best bf16, for one that answers CPUID where a machine hides its tiles")
    a("--model", help="a file that `graft_benchmark_compare_training write_model` wrote; default: a new one")
    a("--worker", help=argparse.SUPPRESS)
    a("--setup", help=argparse.SUPPRESS)
    a("--rows", help=argparse.SUPPRESS)
    o = parser.parse_args()
    if o.worker:
        torch_worker(o.worker, o.setup, o.model, o.rows)
        return
    if not o.build:
        parser.error("--build is needed")
    if not o.blas:
        folders = (f"/usr/lib/{platform.machine()}-linux-gnu/openblas-{kind}/libblas.so.3" for kind in ("openmp", "pthread"))
        o.blas = next((path for path in folders if os.path.exists(path)), None)

    bench = Bench(o)
    bench.prepare()
    load = os.getloadavg()[0]
    idle = ": not idle" if load > 0.5 else ""
    print(f"{cpu_name()}, {os.cpu_count()} cores, {THREADS} threads each, load {load:.1f} at the start{idle}")
    print(f"PyTorch {bench.torch['version']}, f32 product {bench.torch['product_gflops']:.0f} GFLOP/s, {bench.torch['blas']}")
    table = measure(bench)
    print_tables(bench, table)
    if o.json:
        graft = subprocess.run(["git", "-C", here, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
        everything = {"cpu": cpu_name(), "cores": os.cpu_count(), "threads": THREADS, "load": load, "torch": bench.torch, "graft": graft,
                      "command": sys.argv, "table": table, "cells": bench.cells}
        with open(o.json, "w") as file:
            file.write(json.dumps(everything) + "\n")


if __name__ == "__main__":
    main()
