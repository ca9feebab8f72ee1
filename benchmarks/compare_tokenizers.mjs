// The tokenizers library's side of compare_tokenizers.sh.   node compare_tokenizers.mjs WORK save|ids|time ...
import { createRequire } from "node:module";
import fs from "node:fs";
import path from "node:path";

const [work, command, ...args] = process.argv.slice(2);
const library = createRequire(path.join(work, "/"))("tokenizers");

// FAMILY, FOLDER of plain files, OUT: writes OUT/tokenizer.json.
async function save(family, folder, out) {
  const file = (name) => path.join(folder, name);
  let tokenizer;
  if (family === "roberta") {
    tokenizer = new library.Tokenizer(await library.BPE.fromFile(file("vocab.json"), file("merges.txt")));
    tokenizer.setPreTokenizer(library.byteLevelPreTokenizer(false));
    tokenizer.addSpecialTokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"]);
  } else {
    tokenizer = new library.Tokenizer(await library.WordPiece.fromFile(file("vocab.txt"), {}));
    tokenizer.setNormalizer(library.bertNormalizer({}));
    tokenizer.setPreTokenizer(library.bertPreTokenizer());
    tokenizer.addSpecialTokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]);
  }
  tokenizer.save(path.join(out, "tokenizer.json"));
}

function load(folder, text) {
  const lines = fs.readFileSync(text, "utf8").split("\n");
  if (lines.at(-1) === "") lines.pop();
  return [library.Tokenizer.fromFile(path.join(folder, "tokenizer.json")), lines];
}

// One batch of all lines is the fastest of the library's ways from here: the cost of a call is paid once.
const encode = (tokenizer, lines) => tokenizer.encodeBatch(lines, { addSpecialTokens: false });

if (command === "save") await save(...args);
if (command === "ids") {
  const encodings = await encode(...load(...args));
  process.stdout.write(encodings.map((one) => one.getIds().join(" ") + "\n").join(""));
}
if (command === "time") {
  const [tokenizer, lines] = load(...args);
  const bytes = fs.statSync(args[1]).size;
  await encode(tokenizer, lines);  // warms up
  const begin = process.hrtime.bigint();
  await encode(tokenizer, lines);
  console.log(bytes / 1e6 / (Number(process.hrtime.bigint() - begin) / 1e9));
}
