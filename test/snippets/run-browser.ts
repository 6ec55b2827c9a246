import { pathToFileURL } from "node:url";

/**
 * Runs a browser's program of docs/waiting.md on Node.js' fetch, with the arguments of the others: file, address, name,
 * heartbeat.
 */
const [file = "", address = "", name = "", heartbeat] = process.argv.slice(2);
const { watch } = (await import(pathToFileURL(file).href)) as {
  watch(
    url: string,
    name: string,
    onProgress: (fraction: number) => void,
    heartbeat?: string,
  ): Promise<string>;
};
console.log(
  await watch(`http://${address}`, name, (fraction) => console.log("RUNNING", fraction), heartbeat),
);
