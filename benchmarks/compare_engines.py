#!/usr/bin/env python3
"""Answers a second: `graft predict` beside the engines that people take for this, on the same rows, in turns, in one run.

  python3 -m venv V && V/bin/pip install torch transformers onnxruntime onnx onnxscript openvino nncf ctranslate2
  V/bin/python benchmarks/compare_engines.py --graft build/examples/graft [--batch 1,8,32] [--precision f32,bf16,int8] [--order length|file] [--busy 0,1]
  V/bin/python benchmarks/compare_engines.py --graft build/examples/graft --latency --tokens 20 --rows 20

A RobertaForSequenceClassification of roberta-base's shape with random weights, and rows of random ids as long as MRPC's. Each engine gets the model in a form of
its own, made before; graft's is what `graft export-model --pack` writes. graft is timed as a whole program, its start included; every other engine is a process
that has loaded its model, answers all rows when told to, and sleeps otherwise. It gets batches padded to their longest row; sorted by length (--order length) that
costs it least. Two threads each. Prints answers a second: the median of the rounds, with the least and the most, and graft beside the best other.
int8 is what each engine's own tools make: OpenVINO's by nncf, calibrated with some of the rows, ONNX Runtime's dynamic, a scale an output; CTranslate2's own (it
answers with hidden states). An engine that is not installed, or does not start, is named and left out.
--latency asks for one row at a time, of a graft predict that runs already and reads from a pipe, too, and prints milliseconds a row, pipe and text included.
--build BUILD adds "evaluation", f32 and bf16: graft's forward pass alone on the same batches, in a process that has loaded the model (graft_benchmark_compare_training).
"""
import argparse
import contextlib
import importlib.metadata
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

from compare_training import LENGTHS

THREADS = 2
ENGINES = {"f32": ["openvino", "onnxruntime", "ctranslate2", "torch"], "bf16": ["openvino", "torch"], "int8": ["openvino", "onnxruntime", "ctranslate2"]}


def make_model(folder):
    import torch
    from transformers import RobertaConfig, RobertaForSequenceClassification

    torch.manual_seed(0)
    config = RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5, num_labels=2)
    RobertaForSequenceClassification(config).save_pretrained(folder)
    # graft reads a tokenizer with every model; the rows are ids, so this one has none but the special tokens
    with open(folder + "/vocab.json", "w", encoding="utf-8") as file:
        json.dump({f"<{i}>" if i > 4 else ["<s>", "<pad>", "</s>", "<unk>", "<mask>"][i]: i for i in range(50265)}, file)
    with open(folder + "/merges.txt", "w", encoding="utf-8") as file:
        file.write("#version: 0.2\n")


def make_rows(count, order, tokens=None):
    source = random.Random(1)
    ends = LENGTHS["mrpc"] if tokens is None else [tokens, tokens]
    rows = []
    for _ in range(count):
        at = source.random() * (len(ends) - 1)
        length = round(ends[int(at)] + (at - int(at)) * (ends[int(at) + 1] - ends[int(at)]))
        rows.append([0] + [source.randrange(5, 50265) for _ in range(length - 2)] + [2])
    return sorted(rows, key=len) if order == "length" else rows


def padded(rows):
    import numpy

    longest = max(map(len, rows))
    ids, mask = numpy.ones((len(rows), longest), dtype=numpy.int64), numpy.zeros((len(rows), longest), dtype=numpy.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)], mask[i, : len(row)] = row, 1
    return {"input_ids": ids, "attention_mask": mask}


def onnx_model(folder):
    """The model as ONNX, written once."""
    path = folder + "/model.onnx"
    if not os.path.exists(path):
        import torch
        from transformers import AutoModelForSequenceClassification

        model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()

        class Logits(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.model = model

            def forward(self, input_ids, attention_mask):
                return self.model(input_ids=input_ids, attention_mask=attention_mask).logits

        ids = torch.full((2, 16), 7)
        dims = {0: torch.export.Dim("rows", min=1, max=512), 1: torch.export.Dim("tokens", min=2, max=512)}
        torch.onnx.export(Logits(), (ids, torch.ones_like(ids)), path, input_names=["input_ids", "attention_mask"], output_names=["logits"],
                          dynamic_shapes={"input_ids": dims, "attention_mask": dims}, dynamo=True)
    return path


def torch_engine(folder, precision, _):
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.set_num_threads(THREADS)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    model = model.to(torch.bfloat16) if precision == "bf16" else model

    def answer(batch):
        with torch.inference_mode():
            return model(**{name: torch.from_numpy(value) for name, value in batch.items()}).logits

    return answer


def onnxruntime_engine(folder, precision, _):
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers import optimizer

    path = folder + "/optimized.onnx"
    if not os.path.exists(path):
        optimizer.optimize_model(onnx_model(folder), model_type="bert", num_heads=12, hidden_size=768).save_model_to_file(path, use_external_data_format=True)
    if precision == "int8":
        rounded = folder + "/int8.onnx"
        if not os.path.exists(rounded):
            quantize_dynamic(path, rounded, weight_type=QuantType.QInt8, per_channel=True, use_external_data_format=True)
        path = rounded
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, batch)


def openvino_engine(folder, precision, batches):
    import openvino

    core = openvino.Core()
    model = core.read_model(onnx_model(folder))
    if precision == "int8":
        import nncf

        model = nncf.quantize(model, nncf.Dataset(batches[::4]), model_type=nncf.ModelType.TRANSFORMER)
    hint = "bf16" if precision == "bf16" else "f32"
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": THREADS})
    request = compiled.create_infer_request()
    return request.infer


def ctranslate2_engine(folder, precision, _):
    import ctranslate2

    kind = "float32" if precision == "f32" else precision
    converted = f"{folder}/ctranslate2_{kind}"
    if not os.path.exists(converted + "/model.bin"):
        subprocess.run([sys.executable, "-m", "ctranslate2.converters.transformers", "--model", folder, "--output_dir", converted, "--quantization", kind, "--force"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    encoder = ctranslate2.Encoder(converted, device="cpu", intra_threads=THREADS, inter_threads=1, compute_type=kind)
    return lambda batch: encoder.forward_batch([list(map(int, ids[: mask.sum()])) for ids, mask in zip(batch["input_ids"], batch["attention_mask"])]).pooler_output


def worker(options):
    """An engine's process: answers all rows for every line that comes in, and prints the seconds."""
    rows = make_rows(options.rows, options.order, options.tokens)
    size = int(options.batch)
    batches = [padded(rows[i : i + size]) for i in range(0, len(rows), size)]
    engine, precision = options.worker.split("/")
    answer = globals()[engine + "_engine"](options.work, precision, batches)
    for batch in batches[:2] + batches[-2:]:
        answer(batch)
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        for batch in batches:
            answer(batch)
        print(time.perf_counter() - start, flush=True)


def start_worker(script, options, name, *more):
    """The process of SCRIPT that is the worker NAME, once it is ready; None: it did not start."""
    command = [sys.executable, script, "--graft", options.graft, "--work", options.work, "--worker", name, *map(str, more)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return process if any(line.strip() == "ready" for line in process.stdout) else None


class Predicting:
    """`graft predict` that runs and waits for rows: text without words, of as many tokens as letters and two more."""

    def __init__(self, options, precision, model):
        self.lines = ["a" * (len(row) - 2) + "\n" for row in make_rows(options.rows, options.order, options.tokens)]
        command = [options.graft, "predict", "--model_path", model, "--precision", precision, "--threads", str(THREADS)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.stdin, self.wait = self.process.stdin, self.process.wait
        self.answer(self.lines[0])
        self.process.stdout.readline()  # behind the header

    def answer(self, line):
        self.stdin.write(line)
        self.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit("graft predict ended")
        return answer

    def seconds(self):
        start = time.perf_counter()
        for line in self.lines:
            self.answer(line)
        return time.perf_counter() - start


class Evaluation:
    """graft's forward pass, without what a program does around it."""

    def __init__(self, options, precision, size):
        folder = options.work + "/graft_plain"
        subprocess.run([options.graft, "export-model", options.work, "--output_base_path", folder, "--force_overwrite"], check=True, stdout=subprocess.DEVNULL)
        command = [options.build + "/benchmarks/graft_benchmark_compare_training", "serve", folder + "/model", options.work + "/rows.jsonl", "plain", precision]
        waits = {"OMP_NUM_THREADS": str(THREADS), "GOMP_SPINCOUNT": "3000"}  # as the program runs
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **waits})
        self.rows, self.size = options.rows, size
        self.seconds()
        self.stdin, self.wait = self.process.stdin, self.process.wait

    def seconds(self):
        total = 0
        for first in range(0, self.rows, self.size):
            print(json.dumps({"do": "evaluate", "batch": min(self.size, self.rows - first), "first": first}), file=self.process.stdin, flush=True)
            total += json.loads(self.process.stdout.readline())["seconds"]
        return total


def seconds_of(process):
    """What a worker takes for one round."""
    if not isinstance(process, subprocess.Popen):
        return process.seconds()
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


@contextlib.contextmanager
def folder_with_model(options):
    """options.work, one of its own if there is none, with the model in it."""
    with tempfile.TemporaryDirectory() as temporary:
        options.work = options.work or temporary
        if not os.path.exists(options.work + "/model.safetensors"):
            os.makedirs(options.work, exist_ok=True)
            make_model(options.work)
        yield options.work


def start(options, engine, precision, size):
    tokens = ["--tokens", options.tokens] if options.tokens else []
    process = start_worker(__file__, options, f"{engine}/{precision}", "--batch", size, "--rows", options.rows, "--order", options.order, *tokens)
    if process is None:
        print(f"  {engine} {precision}: did not start")
    return process


def packed_model(options, precision):
    """What graft makes of the model for this precision, anew: another program may pack otherwise."""
    folder = f"{options.work}/graft_{precision}"
    subprocess.run([options.graft, "export-model", options.work, "--output_base_path", folder, "--pack", precision, "--force_overwrite"], check=True,
                   stdout=subprocess.DEVNULL)
    return folder + "/model"


@contextlib.contextmanager
def neighbors(count):
    """So many other processes compute meanwhile."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def compare(options, precision, size, table):
    model = packed_model(options, precision)
    contestants = {name: start(options, name, precision, size) for name in ENGINES[precision] if not options.engines or name in options.engines.split(",")}
    contestants = {name: process for name, process in contestants.items() if process}
    if options.build and precision != "int8":
        contestants["evaluation"] = Evaluation(options, precision, size)
    running = Predicting(options, precision, model) if options.latency else None
    counts = [int(count) for count in options.busy.split(",")]
    seconds = {(name, count): [] for count in counts for name in ["graft", *contestants]}

    def once(name):
        if name != "graft":
            return seconds_of(contestants[name])
        if running:
            return running.seconds()
        begin = time.perf_counter()
        subprocess.run([options.graft, "predict", "--model_path", model, "--input", table, "--eval_batch_size", str(size), "--precision", precision,
                        "--threads", str(THREADS), "--output", options.work + "/answers.tsv"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - begin

    for _ in range(options.rounds):
        for count in counts:
            with neighbors(count):
                for name in ["graft", *contestants]:
                    seconds[name, count].append(once(name))
    for process in [*contestants.values(), *([running] if running else [])]:
        process.stdin.close()
        process.wait()
    shown = (lambda seconds: 1e3 * seconds / options.rows) if options.latency else (lambda seconds: options.rows / seconds)
    rate = {key: options.rows / statistics.median(all_of) for key, all_of in seconds.items()}
    for count in counts:
        for name in ["graft", *contestants]:
            all_of = seconds[name, count]
            least, most = sorted((shown(min(all_of)), shown(max(all_of))))
            print(f"| {precision} | {size} | {count} | {name} | {shown(statistics.median(all_of)):.1f} | {least:.1f} to {most:.1f} | "
                  f"{rate[name, counts[0]] / rate[name, count]:.2f} |")
        if "evaluation" in contestants:
            print(f"| {precision} | {size} | {count} | **evaluation / graft** | **{rate['evaluation', count] / rate['graft', count]:.2f}** | | |")
        best = max((name for name in contestants if name != "evaluation"), key=lambda name: rate[name, count], default=None)
        if best:
            print(f"| {precision} | {size} | {count} | **graft / {best}** | **{rate['graft', count] / rate[best, count]:.2f}** | | |", flush=True)


def versions(graft):
    """Of graft, and of the engines that are here."""
    yield subprocess.run([graft, "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]
    for package in ("openvino", "nncf", "onnxruntime", "ctranslate2", "torch"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            yield f"{package} {importlib.metadata.version(package)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graft", required=True, help="the program")
    parser.add_argument("--work", help="keeps the models in their forms here, 2 GB")
    parser.add_argument("--build", help="a build folder with -DGRAFT_BUILD_BENCHMARKS=ON, for graft's forward pass alone")
    parser.add_argument("--batch", default="1,8,32")
    parser.add_argument("--precision", default="f32,bf16,int8")
    parser.add_argument("--engines", help="only these of openvino, onnxruntime, ctranslate2, torch")
    parser.add_argument("--rows", type=int, default=204)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--order", choices=("length", "file"), default="length", help="rows sorted by length, or as they come")
    parser.add_argument("--tokens", type=int, help="every row is so long, in place of MRPC's lengths")
    parser.add_argument("--latency", action="store_true", help="one row at a time: milliseconds until its answer is there")
    parser.add_argument("--busy", default="0", help="so many other processes compute meanwhile; 0,1: in turns, and what the second takes longer than the first")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.batch = "1" if options.latency else options.batch
    if options.build and (options.tokens or 0) > 128:
        parser.error("--build takes rows of 128 tokens at most")
    if options.worker:
        worker(options)
        return
    with folder_with_model(options) as work:
        table = work + "/rows.jsonl"
        with open(table, "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"input_ids": row}) + "\n" for row in make_rows(options.rows, options.order, options.tokens))
        print(f"{options.rows} rows, order: {options.order}, tokens: {options.tokens or 'as in MRPC'}; {', '.join(versions(options.graft))}\n")
        print(f"| precision | batch | busy | engine | {'ms a row' if options.latency else 'rows/s'} | least to most | slower |\n|---|---|---|---|---|---|---|", flush=True)
        for precision in options.precision.split(","):
            for size in options.batch.split(","):
                compare(options, precision, int(size), table)


if __name__ == "__main__":
    main()
