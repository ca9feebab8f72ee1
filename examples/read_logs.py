# Mixing weights of a run as a pandas table:  python3 read_logs.py RUN_DIR
import glob
import sys

import pandas as pd

run = sys.argv[1]
parts = sorted(glob.glob(f"{run}/[0-9]*/weights.zlog"))  # one for each time the run was started or resumed
log = pd.concat([pd.read_json(part, lines=True) for part in parts])

weights = pd.json_normalize(log["weights"].tolist(), sep="/")
weights.columns = pd.MultiIndex.from_tuples([tuple(name.split("/", 1)) for name in weights.columns])
weights.index = [tgs["global_step"] for tgs in log["tgs"]]
weights = weights[~weights.index.duplicated(keep="last")].sort_index()  # a resumed run repeats steps: the later row counts

print(weights["layer_00"].tail())  # a column an adapter; weights["layer_00"].plot() draws them
