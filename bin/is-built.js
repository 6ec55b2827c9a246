"use strict";
/*
 * Whether dist/ is what the sources say. CommonJS in plain syntax, like the launcher that asks.
 */
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");

/** What goes into a build. */
const INPUTS = ["package.json", "src", "gen"];

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

/** A digest of the names and contents of all sources. */
function stampOf(root) {
  const hash = createHash("sha256");
  for (const input of INPUTS) add(hash, root, input);
  return hash.digest("hex");
}

function add(hash, root, name) {
  const file = path.join(root, name);
  if (fs.statSync(file).isDirectory()) {
    for (const child of fs.readdirSync(file).sort()) add(hash, root, `${name}/${child}`);
    return;
  }
  const content = fs.readFileSync(file);
  hash.update(`${name}\0${content.length}\0`).update(content);
}

module.exports = { isBuilt, stampOf, STAMP };
