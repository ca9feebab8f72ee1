"""Cases of graft beside the libraries themselves, and the table that they become.

A case (`Case`) is one setting. The library writes it (`save`) and says what its own model answers; `graft predict` answers from those files. Where `to` names a form
of convert-adapter, graft reads the files, writes them in that form, and the library answers from what graft wrote (`load`). run.sh runs them all.
"""
import dataclasses, json, math, os, re, shutil, subprocess, zlib
from typing import Callable, Optional, Sequence
import torch

LIMIT = 1e-5  # the most by which two answers may differ
LABELS = ["no", "yes"]


@dataclasses.dataclass
class Answers:
    """What a model answers: a row of numbers a text; LINK turns them into what graft prints."""
    numbers: torch.Tensor            # (rows, classes), before the link
    labels: Optional[Sequence[str]]  # in their order; None: the files do not say, graft's order is taken; []: a regression
    link: str = "softmax"            # or "sigmoid", "identity"

    def values(self):
        x = self.numbers.double()
        return {"softmax": lambda: torch.log_softmax(x, -1), "sigmoid": lambda: torch.sigmoid(x), "identity": lambda: x}[self.link]()


@dataclasses.dataclass
class Case:
    name: str                               # SUBJECT: SETTING
    base: str                               # a model of models.py; "": what `save` writes is a whole model
    save: Callable[[str, str], Answers]     # (BASE_FOLDER, OUT): writes OUT
    load: Optional[Callable[[str, str], Answers]] = None  # (BASE_FOLDER, FOLDER) -> what the library answers from it
    to: str = ""                            # the form in which graft writes it for `load`
    flags: Sequence[str] = ()               # of graft predict, besides model, adapter and rows; {base}, {out} are folders
    convert_flags: Sequence[str] = ()       # of graft convert-adapter
    trains: Optional[Sequence[str]] = None  # flags of graft train-adapter: graft trains what `load` then gets, and nothing is saved by the library
    several: bool = False                   # of what graft trains: several labels at once
    refused: str = ""                       # graft is to refuse it with a line that holds this
    model: str = ""                         # folders in OUT of the model and of what is tuned around it, where `save` writes both
    adapter: str = ""
    exported: Optional[Callable[[str], Answers]] = None  # FOLDER -> what the library answers from the model that graft export-model wrote
    golden: bool = True                     # --write-goldens puts it among the goldens that CTest reads, if it agrees


class Refused(Exception):
    pass


class Bench:
    """Runs cases in a folder of its own."""

    def __init__(self, graft, folder):
        self.graft, self.folder, self.rows = graft, folder, os.path.join(folder, "rows.jsonl")

    def run_graft(self, *arguments):
        done = subprocess.run([self.graft, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Refused(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}")
        return done.stdout

    def base(self, case):
        return os.path.join(self.folder, "bases", case.base)

    def predict_flags(self, case, out):
        model = ["--model_path", self.base(case), "--adapter_path", out] if case.base else ["--model_path", os.path.join(out, case.model)]
        if case.adapter:
            model += ["--adapter_path", os.path.join(out, case.adapter)]
        return [*model, *(f.format(base=self.base(case), out=out) for f in case.flags)]

    def predict(self, case, out):
        """(labels, numbers) of graft's table."""
        table = self.run_graft("predict", *self.predict_flags(case, out), "--precision", "f32", "--input", self.rows)
        lines = [line.split("\t") for line in table.splitlines()]
        labels = [c[c.index("(") + 1:-1] for c in lines[0] if c.endswith(")")]  # P(label), or prediction(label) of a regression of several
        numbers = [[float(x) for x in line[-max(1, len(labels)):]] for line in lines[1:]]
        return labels, torch.tensor(numbers, dtype=torch.float64)

    def difference(self, expected, labels, numbers):
        """The largest, of log-probabilities where they are a softmax's, so that it is one of logits, too."""
        if expected.labels is not None and list(expected.labels) != labels:
            raise AssertionError(f"labels {labels}, expected {list(expected.labels)}")
        if expected.numbers.shape != numbers.shape:
            raise AssertionError(f"{tuple(numbers.shape)} numbers, expected {tuple(expected.numbers.shape)}")
        if expected.link == "softmax":
            numbers = numbers.log()
        return (expected.values() - numbers).abs().max().item()

    def check(self, case, goldens=""):
        """Yields (DIRECTION, DIFFERENCE or the refusal)."""
        work = os.path.join(self.folder, re.sub(r"[^A-Za-z0-9_.,=-]+", "_", case.name))
        shutil.rmtree(work, ignore_errors=True)
        out = os.path.join(work, "theirs")
        os.makedirs(out)
        torch.manual_seed(zlib.crc32(case.name.encode()))
        if case.trains is not None:
            yield from self.check_trained(case, work)
            return
        expected = case.save(self.base(case), out)
        try:
            labels, numbers = self.predict(case, out)
        except Refused as refusal:
            yield "theirs -> graft", refusal
            return
        worst = self.difference(expected, labels, numbers)
        if goldens and case.golden and worst <= LIMIT:
            self.write_golden(case, out, expected, goldens)
        yield "theirs -> graft", worst
        if case.exported:
            back = os.path.join(work, "exported")
            merged = ["--merge_lora", os.path.join(out, case.adapter)] if case.adapter else []
            self.run_graft("export-model", os.path.join(out, case.model), "--output_base_path", back, "--without_tokenizer", *merged)
            yield "graft -> theirs", (case.exported(os.path.join(back, "model")).values() - expected.values()).abs().max().item()
        if not case.to:
            return
        ours, back = os.path.join(work, "graft"), os.path.join(work, "back")
        if case.to == "encoder":
            try:
                self.run_graft("merge-adapters", "--adapter_path", out, "--output_path", back, "--model_path", self.base(case))
            except Refused as refusal:
                yield "graft -> theirs", refusal
                return
            yield "graft -> theirs", (case.load(self.base(case), back).values() - expected.values()).abs().max().item()
            return
        flags = ["--model_path", self.base(case), *case.convert_flags]
        try:
            self.run_graft("convert-adapter", "--adapter_path", out, "--output_path", ours, "--to", "graft", *flags)
            self.run_graft("convert-adapter", "--adapter_path", ours, "--output_path", back, "--to", case.to, "--model_path", self.base(case))
        except Refused as refusal:
            yield "graft -> theirs", refusal
            return
        theirs = case.load(self.base(case), back)
        yield "graft -> theirs", (theirs.values() - expected.values()).abs().max().item()

    def check_trained(self, case, work):
        """graft trains a few steps on made-up rows; `load` answers from what it wrote, or from what convert-adapter made of that."""
        task, run, back = os.path.join(work, "task.json"), os.path.join(work, "run"), os.path.join(work, "back")
        rows = os.path.join(work, "train.jsonl")
        with open(self.rows) as known, open(rows, "w") as file:
            labels = [[], LABELS[:1], LABELS] if case.several else LABELS
            file.writelines(json.dumps({**json.loads(line), "label": labels[i % len(labels)]}) + "\n" for i, line in enumerate(known))
        with open(task, "w") as file:
            json.dump({"task": "custom", "name": "made_up", "kind": "multi_label" if case.several else "classification", "labels": LABELS, "paths": {"train": rows, "val": rows}}, file)
        try:
            self.run_graft("train-adapter", "--model_path", self.base(case), "--model_tokenizer_path", "", "--task_config_path", task, "--output_dir", run, "--do_train", "--do_save",
                           "--max_steps", "20", "--max_seq_length", "12", "--learning_rate", "0.03", "--seed", "1", "--precision", "f32", *case.trains)
            labels, numbers = self.predict(case, run)
            if case.to == "encoder":
                self.run_graft("merge-adapters", "--adapter_path", run, "--output_path", back, "--model_path", self.base(case))
            elif case.to:
                self.run_graft("convert-adapter", "--adapter_path", run, "--output_path", back, "--to", case.to, "--model_path", self.base(case))
        except Refused as refusal:
            yield "graft -> theirs", refusal
            return
        yield "graft -> theirs", self.difference(case.load(self.base(case), back if case.to else run), labels, numbers)

    def write_golden(self, case, out, expected, goldens):
        subject, name = (re.sub(r"[^a-z0-9]+", "_", part.lower()).strip("_") for part in case.name.split(": ", 1))
        target = os.path.join(goldens, subject, name)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(out, target, ignore=shutil.ignore_patterns("*.md", "optimizer.pt"))
        for name in os.listdir(target):
            if name.endswith(".json"):
                with open(os.path.join(target, name)) as file:
                    text = file.read()
                with open(os.path.join(target, name), "w") as file:
                    file.write(text.replace(self.folder + "/", ""))  # another one each time
        numbers = expected.numbers.double()
        values = {"softmax": lambda: torch.softmax(numbers, -1), "sigmoid": lambda: torch.sigmoid(numbers), "identity": lambda: numbers}[expected.link]()
        with open(os.path.join(target, "case.json"), "w") as file:
            json.dump({"base": case.base, "model": case.model, "adapter": case.adapter, "flags": list(case.flags), "to": case.to, "labels": expected.labels, "answers": values.tolist()}, file)
            file.write("\n")


def run(bench, cases, goldens=""):
    """Prints the table; True if all is as it should be."""
    counts, worst, width = {"agree": 0, "differ": 0, "refused": 0, "refused as said": 0}, 0.0, max(len(c.name) for c in cases)
    for case in cases:
        name = case.name
        try:
            for direction, result in bench.check(case, goldens):
                if isinstance(result, Refused):
                    verdict, text = ("refused as said" if case.refused and case.refused in str(result) else "refused"), "refused: " + str(result).removeprefix("graft: ").replace(bench.folder + "/", "")
                else:
                    verdict, text = ("agree" if result <= LIMIT else "differ"), f"{result:.1e}"  # NaN differs
                    if result <= LIMIT:
                        worst = max(worst, result)
                    else:
                        text += "  DIFFERS"
                counts[verdict] += 1
                print(f"{name:{width}}  {direction}  {text}", flush=True)
                name = ""
        except Exception as failure:  # of the library or of a table: the others go on
            counts["differ"] += 1
            print(f"{name:{width}}  FAILED           {type(failure).__name__}: {str(failure).splitlines()[0] if str(failure) else ''}", flush=True)
    print(f"{len(cases)} settings: {counts['agree']} answers agree within {LIMIT:g} (the worst: {worst:.1e}), {counts['differ']} differ or fail, "
          f"{counts['refused as said']} refused as they should be, {counts['refused']} refused")
    return counts["differ"] == 0 and counts["refused"] == 0


def randomize(model, chosen, size=0.3):
    """Adds noise to the parameters whose name CHOSEN takes: what libraries begin with at zero would show nothing."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if chosen(name):
                p.add_(size * torch.randn_like(p))


def logits(model, rows, device="cpu"):
    """(rows, classes) of a model of transformers, PEFT or AdapterHub, in float32, a row at a time: no padding."""
    model.eval()
    out = []
    with torch.no_grad():
        for row in rows:
            inputs = {key: torch.tensor([row[key]]) for key in ("input_ids", "token_type_ids") if key in row}
            out.append(model(**inputs).logits[0])
    return torch.stack(out)
