import { writeSnippets } from "./snippets.ts";

/** Writes the programs of docs/waiting.md for scripts/snippets.sh and prints the directory. */
console.log(writeSnippets("languages"));
