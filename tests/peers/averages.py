"""python3 averages.py GRAFT BASE: AdapterHub's average_adapter beside `graft merge-adapters` on the same adapters: the same bits. Exit code 1 where they are not."""
import json, logging, os, subprocess, sys, tempfile, warnings
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
warnings.filterwarnings("ignore")
import torch, transformers
from models import HAS_ADAPTERS
if not HAS_ADAPTERS:
    print("AdapterHub's library needs transformers 4: its averages are left out")
    sys.exit(0)
from adapters import AutoAdapterModel, DoubleSeqBnConfig, SeqBnConfig
from peers import randomize
transformers.logging.set_verbosity_error()
logging.disable(logging.WARNING)

graft, base = sys.argv[1:]
torch.manual_seed(1)
same = True
for name, config in (("double_seq_bn", DoubleSeqBnConfig(reduction_factor=2)), ("seq_bn", SeqBnConfig(reduction_factor=2))):
    for weights, normalize in (([0.3, 0.9, -0.2], True), ([1.0, -0.7, 0.1], False), (None, True)):
        with tempfile.TemporaryDirectory() as work:
            model = AutoAdapterModel.from_pretrained(base)
            for one in "abc":
                model.add_adapter(one, config=config)
            randomize(model, lambda n: "adapters" in n)
            for one in "abc":
                model.save_adapter(f"{work}/{one}", one, with_head=False)
            model.average_adapter("average", list("abc"), weights=weights, normalize_weights=normalize)
            model.save_adapter(f"{work}/theirs", "average", with_head=False)
            with open(f"{work}/list.json", "w") as file:
                json.dump({one: f"{work}/{one}" for one in "abc"}, file)
            command = [graft, "merge-adapters", "--model_path", base, "--adapter_weights_path", f"{work}/list.json", "--to", "adapterhub", "--adapter_name", "average",
                       "--output_path", f"{work}/ours", "--normalize_weights", str(int(normalize))]
            subprocess.run(command + (["--weights=" + ",".join(map(str, weights))] if weights else []), check=True, stdout=subprocess.DEVNULL)
            theirs, ours = (torch.load(f"{work}/{one}/pytorch_adapter.bin") for one in ("theirs", "ours"))
            agree = theirs.keys() == ours.keys() and all(torch.equal(theirs[key], ours[key]) for key in theirs)
            same = same and agree
            print(f"average_adapter of {name}, weights {weights or 'equal'}{'' if normalize else ' as they are'}: {'the same bits' if agree else 'DIFFERS'}")
sys.exit(0 if same else 1)
