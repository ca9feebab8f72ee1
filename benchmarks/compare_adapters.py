#!/usr/bin/env python3
"""Training, rows a second: `graft train-adapter` beside the libraries that people tune adapters with, as their documents write it, in turns.

  python3 -m venv V && V/bin/pip install torch 'transformers<5' adapters peft
  V/bin/python benchmarks/compare_adapters.py --graft build/examples/graft [--precision f32,bf16] [--batch 8] [--steps 8] [--rounds 5]

A model of roberta-base's shape with random weights, and rows of random ids as long as MRPC's. `adapters` trains Houlsby's bottlenecks (double_seq_bn), `peft`
LoRA of rank 8 on queries and values, in bf16 by autocast, padded to the longest row of a batch; graft the same by its own flags. A library is a process that trains
STEPS batches when told to and sleeps otherwise; graft is a whole program, of whose time that of one with a single step is taken off. Two threads each. Prints rows
a second: the median of the rounds, with the least and the most.
"""
import argparse
import json
import statistics
import subprocess
import sys
import time

from compare_engines import THREADS, folder_with_model, make_rows, padded, seconds_of, start_worker

FLAGS = {"adapters": [], "peft": ["--adapter_method", "lora"]}


def model_of(library, folder):
    from transformers import AutoConfig, RobertaForSequenceClassification

    if library == "adapters":
        from adapters import RobertaAdapterModel

        model = RobertaAdapterModel(AutoConfig.from_pretrained(folder))
        model.add_adapter("a", config="double_seq_bn")
        model.add_classification_head("a", num_labels=2)
        model.train_adapter("a")
        return model
    from peft import LoraConfig, get_peft_model

    model = RobertaForSequenceClassification.from_pretrained(folder)
    return get_peft_model(model, LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=16, target_modules=["query", "value"]))


def worker(options):
    """A library's process: trains as many batches for every line that comes in, and prints the seconds."""
    import torch

    torch.set_num_threads(THREADS)
    library, precision = options.worker.split("/")
    rows = make_rows(options.batch * options.steps, "file")
    batches = [padded(rows[i : i + options.batch]) for i in range(0, len(rows), options.batch)]
    labels = torch.arange(options.batch) % 2
    model = model_of(library, options.work)
    tuned = [p for p in model.parameters() if p.requires_grad]
    adam = torch.optim.AdamW(tuned, lr=1e-4)
    model.train()

    def step(batch):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            logits = model(**{name: torch.from_numpy(value) for name, value in batch.items()}).logits
        torch.nn.functional.cross_entropy(logits.float(), labels).backward()
        torch.nn.utils.clip_grad_norm_(tuned, 1.0)
        adam.step()
        adam.zero_grad()

    for batch in batches[:2]:
        step(batch)
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        for batch in batches:
            step(batch)
        print(time.perf_counter() - start, flush=True)


def graft_seconds(options, library, precision, steps):
    begin = time.perf_counter()
    subprocess.run(
        [options.graft, "train-adapter", "--model_path", options.work, "--task_config_path", options.work + "/task.json", "--output_dir", options.work + "/run",
         "--force_overwrite", "--do_train", "--train_batch_size", str(options.batch), "--max_steps", str(steps), "--learning_rate", "1e-4", "--precision", precision,
         "--threads", str(THREADS), "--seed", "1", *FLAGS[library]], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def compare(options, library, precision):
    process = start_worker(__file__, options, f"{library}/{precision}", "--batch", options.batch, "--steps", options.steps)
    if process is None:
        sys.exit(f"{library} did not start: V/bin/pip install 'transformers<5' adapters peft")
    seconds = {"graft": [], library: []}
    for _ in range(options.rounds):
        one = graft_seconds(options, library, precision, 1)
        seconds["graft"].append(graft_seconds(options, library, precision, 1 + options.steps) - one)
        seconds[library].append(seconds_of(process))
    process.stdin.close()
    process.wait()
    rows = options.batch * options.steps
    for name, all_of in seconds.items():
        print(f"| {precision} | {library} | {name} | {rows / statistics.median(all_of):.2f} | {rows / max(all_of):.2f} to {rows / min(all_of):.2f} |")
    ratios = [theirs / ours for ours, theirs in zip(seconds["graft"], seconds[library])]
    print(f"| {precision} | {library} | **graft / {library}** | **{statistics.median(ratios):.2f}** | {min(ratios):.2f} to {max(ratios):.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graft", required=True, help="the program")
    parser.add_argument("--work", help="keeps the model here")
    parser.add_argument("--precision", default="f32,bf16")
    parser.add_argument("--libraries", default="adapters,peft")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options)
        return
    with folder_with_model(options) as work:
        rows = make_rows(options.batch * (options.steps + 1), "file")
        with open(work + "/train.jsonl", "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"input_ids": row, "label": str(i % 2)}) + "\n" for i, row in enumerate(rows))
        with open(work + "/task.json", "w", encoding="utf-8") as file:
            json.dump({"task": "custom", "name": "rows", "kind": "classification", "labels": ["0", "1"], "paths": {"train": "train.jsonl"}}, file)
        print("| precision | library | who | rows/s | least to most |\n|---|---|---|---|---|", flush=True)
        for precision in options.precision.split(","):
            for library in options.libraries.split(","):
                compare(options, library, precision)


if __name__ == "__main__":
    main()
