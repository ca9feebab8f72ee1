"""python3 tests/peers GRAFT WORK [--write-goldens] [PATTERN...]: what run.sh runs, in its venv. PATTERN: a part of a case's name."""
import argparse, logging, os, shutil, sys, warnings
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
warnings.filterwarnings("ignore")
import torch, transformers
transformers.logging.set_verbosity_error()
logging.disable(logging.WARNING)
torch.set_num_threads(1)
import models, peers
import families_cases, heads_cases, peft_cases, trained_cases

if models.HAS_ADAPTERS:
    import adapterhub_cases

parser = argparse.ArgumentParser()
parser.add_argument("graft")
parser.add_argument("work")
parser.add_argument("patterns", nargs="*")
parser.add_argument("--write-goldens", action="store_true")
given = parser.parse_intermixed_args()
goldens = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/peers")
models.write_bases(os.path.join(given.work, "bases"), os.path.join(goldens, "bases"))
bench = peers.Bench(os.path.abspath(given.graft), given.work)
models.write_rows(bench.rows, models.ROWS)
if given.write_goldens:
    shutil.copytree(os.path.join(given.work, "bases"), os.path.join(goldens, "bases"), dirs_exist_ok=True)
    shutil.copy(bench.rows, goldens)
cases = [*peft_cases.CASES, *heads_cases.CASES, *(c for c in trained_cases.CASES if models.HAS_ADAPTERS or c.to != "adapterhub"), *families_cases.CASES]
if models.HAS_ADAPTERS:
    cases = adapterhub_cases.CASES + cases
cases = [c for c in cases if not given.patterns or any(p in c.name for p in given.patterns)]
if not cases:
    sys.exit("no case has that in its name")
sys.exit(0 if peers.run(bench, cases, goldens if given.write_goldens else "") else 1)
