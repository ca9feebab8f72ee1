"""python3 averages.py GRAFT BASES: what AdapterHub's average_adapter and PEFT's add_weighted_adapter make of several adapters beside `graft merge-adapters`.

AdapterHub: the same bits. PEFT: updates that are added (combination_type "cat") become part of the encoder, and transformers answer as PEFT does with them beside it.
"""
import json, logging, subprocess, sys, tempfile, warnings
warnings.filterwarnings("ignore")
import peft, torch, transformers
from transformers import AutoModelForSequenceClassification
from models import HAS_ADAPTERS, ROWS
from peers import LIMIT, logits, randomize
transformers.logging.set_verbosity_error()
logging.disable(logging.WARNING)

graft, bases = sys.argv[1:]
good = True


def merge(work, names, base, weights, normalize, *more):
    with open(f"{work}/list.json", "w") as file:
        json.dump({one: f"{work}/{one}" for one in names}, file)
    command = [graft, "merge-adapters", "--model_path", base, "--adapter_weights_path", f"{work}/list.json", "--output_path", f"{work}/ours",
               "--normalize_weights", str(int(normalize)), *more]
    subprocess.run(command + (["--weights=" + ",".join(map(str, weights))] if weights else []), check=True, stdout=subprocess.DEVNULL)


def tell(what, agrees, text, otherwise="DIFFERS"):
    global good
    good = good and agrees
    print(f"{what}: {text if agrees else otherwise}")


def average(name, config, weights, normalize, strategy="linear"):
    base = f"{bases}/roberta"
    with tempfile.TemporaryDirectory() as work:
        model = adapters.AutoAdapterModel.from_pretrained(base)
        for one in "abc":
            model.add_adapter(one, config=config)
        randomize(model, lambda n: any(f".{one}." in n for one in "abc"))
        for one in "abc":
            model.save_adapter(f"{work}/{one}", one, with_head=False)
        model.average_adapter("average", list("abc"), weights=weights, combine_strategy=strategy, normalize_weights=normalize)
        model.save_adapter(f"{work}/theirs", "average", with_head=False)
        merge(work, "abc", base, weights, normalize, "--to", "adapterhub", "--adapter_name", "average", "--combine", strategy)
        theirs, ours = (torch.load(f"{work}/{one}/pytorch_adapter.bin") for one in ("theirs", "ours"))
        same = theirs.keys() == ours.keys() and all(torch.equal(theirs[key], ours[key]) for key in theirs)
        tell(f"average_adapter of {name}, {strategy}, weights {weights or 'equal'}{'' if normalize else ' as they are'}", same, "the same bits")


def add(name, weights):
    base = f"{bases}/roberta_classifier"
    with tempfile.TemporaryDirectory() as work:
        model = AutoModelForSequenceClassification.from_pretrained(base)
        for one, r in (("a", 2), ("b", 3)):
            config = peft.LoraConfig(r=r, lora_alpha=3, target_modules=["query", "value", "intermediate.dense"])
            model = peft.get_peft_model(model, config, one) if one == "a" else model.add_adapter(one, config) or model
        randomize(model, lambda n: "lora_" in n)
        model.save_pretrained(work)
        model.add_weighted_adapter(["a", "b"], weights, "sum", combination_type="cat")
        model.set_adapter("sum")
        merge(work, "ab", base, weights, False, "--combine", "cat")
        merged = AutoModelForSequenceClassification.from_pretrained(f"{work}/ours")
        worst = (logits(model, ROWS) - logits(merged, ROWS)).abs().max().item()
        tell(f"add_weighted_adapter of {name}, weights {weights}", worst <= LIMIT, f"{worst:.1e}", f"{worst:.1e}  DIFFERS")


torch.manual_seed(1)
add("lora", [1.0, 0.7])
add("lora", [1.3, 0.2])  # not of rslora: PEFT 0.21 scales the sum once more
if HAS_ADAPTERS:
    import adapters
    # not of invertible adapters, which the library leaves out of an average
    for name, config in (("double_seq_bn", adapters.DoubleSeqBnConfig(reduction_factor=2)), ("seq_bn", adapters.SeqBnConfig(reduction_factor=2)),
                         ("lora", adapters.LoRAConfig(r=2, alpha=3)), ("ia3", adapters.IA3Config())):
        for weights, normalize in (([0.3, 0.9, -0.2], True), ([1.0, -0.7, 0.1], False), (None, True)):
            average(name, config, weights, normalize)
    average("lora", adapters.LoRAConfig(r=2, alpha=3), [1.0, -0.7, 0.1], False, "lora_linear_only_negate_b")
sys.exit(0 if good else 1)
