import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from "yaml";
import { nearest } from "../lib/nearest.ts";
import type { Entry, SourceResult } from "./entry.ts";
import { KEY_BY_PATH, namesIn } from "./keys.ts";
import { type Problem, show } from "./problem.ts";

/**
 * Reads the settings of a YAML file (YAML 1.2 core schema, so `no` and `08:00` are texts). A key may also be written with
 * its dots, `upstream.endpoint: …`. Unknown keys, keys that stand twice and sections that are not mappings become problems
 * with their line. Aliases are refused: they save nothing in a file this small, and expand without bound.
 */
export function readYaml(text: string, file: string): SourceResult {
  return new YamlReader(file).read(text);
}

/** One pass over the nodes of one file; the nodes, not plain data, because they know their lines. */
class YamlReader {
  readonly #entries: Entry[] = [];
  readonly #problems: Problem[] = [];
  readonly #lines = new LineCounter();
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  read(text: string): SourceResult {
    const [document, second] = parseAllDocuments(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      schema: "core",
    });
    for (const error of document?.errors ?? [])
      this.#add(this.#at(error.pos[0]), undefined, `this is not YAML: ${error.message}`);
    if (second)
      this.#add(this.#at(second.range[0]), undefined, "a second document begins here; write one only");
    if (document && this.#problems.length === 0) this.#section(document.contents, "", this.#file);
    return { entries: this.#entries, problems: this.#problems };
  }

  #section(node: Node | null, path: string, where: string): void {
    if (isEmpty(node)) return;
    if (!isMap(node)) {
      const message = `${show(plain(node))} is not a section; allowed in it: ${namesIn(path)?.join(", ")}`;
      this.#add(where, path === "" ? undefined : path, message);
      return;
    }
    for (const pair of node.items) {
      // yaml types the parts of a pair as unknown; parsed documents hold nodes.
      const keyNode = pair.key as Node | null;
      const name = isScalar(keyNode) ? String(keyNode.value) : show(plain(keyNode));
      this.#member(name, path, pair.value as Node | null, this.#at(keyNode?.range?.[0]));
    }
  }

  #member(name: string, parent: string, node: Node | null, where: string): void {
    const path = parent === "" ? name : `${parent}.${name}`;
    const key = KEY_BY_PATH.get(path);
    if (isAlias(node)) this.#add(where, path, "is an alias (*name); write the value itself");
    else if (!key && namesIn(path)) this.#section(node, path, where);
    else if (!key) this.#add(where, undefined, unknownKey(name, parent));
    else if (this.#entries.some((entry) => entry.key === key)) this.#add(where, path, "is set twice");
    else if (!isEmpty(node)) this.#entries.push({ key, value: plain(node), where });
  }

  #at(offset: number | undefined): string {
    return offset === undefined ? this.#file : `${this.#file}:${this.#lines.linePos(offset).line}`;
  }

  #add(where: string, path: string | undefined, message: string): void {
    this.#problems.push({ where, path, message });
  }
}

/** The complaint about a key that does not exist, with the one that was probably meant. */
function unknownKey(name: string, parent: string): string {
  const allowed = namesIn(parent) ?? [];
  const elsewhere = [...KEY_BY_PATH.keys()].find((path) => path.split(".").at(-1) === name);
  const meant = nearest(name, allowed) ?? elsewhere;
  const place = parent === "" ? "there is no key" : `${parent} has no key`;
  return `${place} ${show(name)}${meant ? ` (did you mean ${meant}?)` : ""}; allowed: ${allowed.join(", ")}`;
}

/** Nothing written after the colon: as if the key were not there. */
function isEmpty(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null);
}

/** The value of a node as plain data; what no setting can be (a mapping, an alias in a list) becomes `{}`. */
function plain(node: Node | null): unknown {
  if (isScalar(node)) return node.value;
  if (isSeq(node)) return node.items.map((item) => (isScalar(item) ? item.value : {}));
  return {};
}
