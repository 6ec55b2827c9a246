"use strict";
/*
 * Whether dist/ is what the sources say. CommonJS in plain syntax, like the launcher that asks.
 */
const fs = require("node:fs");
const path = require("node:path");

/** What goes into a build. */
const INPUTS = ["package.json", "package-lock.json", "src", "gen"];

/** The build writes its stamp here, last. */
const STAMP = path.join("dist", "stamp");

/**
 * True when dist/ was built, completely, from the sources that are there, or when there are no sources (as in an image
 * that carries the build alone).
 */
function isBuilt(root) {
  let built;
  try {
    built = fs.readFileSync(path.join(root, STAMP), "utf8");
  } catch {
    return false;
  }
  return !fs.existsSync(path.join(root, "src")) || built === stampOf(root);
}

/**
 * Name, size and time of change of every source, a line each. Contents would say it without a doubt, but reading them
 * all is a tenth of a start; a file that keeps both while it changes was made to deceive.
 */
function stampOf(root) {
  const lines = [];
  for (const input of INPUTS) {
    const stat = fs.statSync(path.join(root, input), { throwIfNoEntry: false });
    if (stat?.isDirectory()) addFolder(lines, root, input);
    else if (stat) lines.push(lineOf(input, stat));
  }
  return lines.join("\n");
}

function addFolder(lines, root, folder) {
  const entries = fs.readdirSync(path.join(root, folder), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const name = `${folder}/${entry.name}`;
    if (entry.isDirectory()) addFolder(lines, root, name);
    else lines.push(lineOf(name, fs.statSync(path.join(root, name))));
  }
}

function lineOf(name, stat) {
  return `${name} ${stat.size} ${stat.mtimeMs}`;
}

module.exports = { isBuilt, stampOf, STAMP };
