"""python3 benchmarks/results_adapterhub.py MODEL GLUE TASK SEED THREADS SCORE.json: one run of benchmarks/results.sh with AdapterHub's library and its recipe."""
import csv, json, random, sys
import torch, adapters
from adapters import AutoAdapterModel
from transformers import AutoTokenizer, get_linear_schedule_with_warmup

folder, glue, task, seed, threads, out = sys.argv[1:]
torch.set_num_threads(int(threads))
torch.manual_seed(int(seed))
order = random.Random(int(seed))
# folder, columns of the texts and of the label, labels (None: a number), whether the file has a header
TASKS = {"rte": ("RTE", [1, 2], 3, ["entailment", "not_entailment"], True), "mrpc": ("MRPC", [3, 4], 0, ["0", "1"], True), "cola": ("CoLA", [3], 1, ["0", "1"], False),
         "sst": ("SST-2", [0], 1, ["0", "1"], True), "stsb": ("STS-B", [7, 8], 9, None, True)}
name, columns, label, labels, header = TASKS[task]
tokenizer = AutoTokenizer.from_pretrained(folder)


def rows(part):
    with open(f"{glue}/{name}/{part}.tsv", encoding="utf-8", newline="\n") as file:
        lines = [line.rstrip("\r\n").split("\t") for line in file][1 if header else 0:]
    return [([line[c] for c in columns], labels.index(line[label]) if labels else float(line[label])) for line in lines]


def batches(data, size):
    for i in range(0, len(data), size):
        part = data[i:i + size]
        inputs = tokenizer(*map(list, zip(*(texts for texts, _ in part))), truncation="longest_first", max_length=128, padding=True, return_tensors="pt")
        yield inputs, torch.tensor([y for _, y in part])


model = AutoAdapterModel.from_pretrained(folder)
model.add_adapter("task", config=adapters.DoubleSeqBnConfig(reduction_factor=model.config.hidden_size / 48, non_linearity="gelu"))
model.add_classification_head("task", num_labels=len(labels) if labels else 1)
model.train_adapter("task")
train, size, epochs = rows("train"), 16, 3
decayed = [p for p in model.parameters() if p.requires_grad and p.dim() > 1]
others = [p for p in model.parameters() if p.requires_grad and p.dim() == 1]
optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}], lr=1e-3)
steps = min(epochs * -(-len(train) // size), 200)
schedule = get_linear_schedule_with_warmup(optimizer, steps // 10, steps)


def forever(data):
    while True:
        order.shuffle(data)
        yield from batches(data, size)


model.train()
for (inputs, y), _ in zip(forever(train), range(steps)):
    model(**inputs, labels=y).loss.backward()
    torch.nn.utils.clip_grad_norm_(decayed + others, 1.0)
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
model.eval()
answers, truth = [], []
with torch.no_grad():
    for inputs, y in batches(rows("dev"), 8):
        z = model(**inputs).logits
        answers += (z.argmax(-1) if labels else z[:, 0]).tolist()
        truth += y.tolist()


def score():
    """What graft calls the major metric of the task."""
    from sklearn.metrics import f1_score, matthews_corrcoef
    from scipy.stats import pearsonr, spearmanr
    accuracy = sum(a == t for a, t in zip(answers, truth)) / len(truth)
    if task == "mrpc":
        return (accuracy + f1_score(truth, answers)) / 2
    if task == "cola":
        return matthews_corrcoef(truth, answers)
    return (pearsonr(truth, answers)[0] + spearmanr(truth, answers)[0]) / 2 if task == "stsb" else accuracy


with open(out, "w") as file:
    json.dump({"major": float(score())}, file)
