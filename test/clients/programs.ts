import { readFileSync } from "node:fs";

/** What scripts/clients.sh has built, and where. */
const { CLIENT_GO: go, CLIENT_PYTHON: python, CLIENT_JAVA: java } = process.env;

/** A program in one of the languages that are on this machine: what is run before its arguments. */
export interface ClientProgram {
  readonly language: string;
  readonly command: readonly string[];
}

/** The programs of this name in all languages: `clients` or `waits`. */
export function programsOf(name: "clients" | "waits"): ClientProgram[] {
  const programs = [{ language: "node", command: [process.execPath, `test/clients/node/${name}.mjs`] }];
  // Google's Go client is one program with subcommands.
  if (go) programs.push({ language: "go", command: name === "clients" ? [go] : [go, name] });
  if (python) programs.push({ language: "python", command: [python, `test/clients/python/${name}.py`] });
  if (java) {
    const classpath = `test/clients/java/target/classes:${readFileSync("test/clients/java/target/classpath", "utf8").trim()}`;
    const main = name === "clients" ? "lrogateway.Clients" : "lrogateway.Waits";
    programs.push({ language: "java", command: ["java", "-cp", classpath, main] });
  }
  return programs;
}
