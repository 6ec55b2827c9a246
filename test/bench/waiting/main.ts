/**
 * What waiting costs and how quick it is, through sockets and with real clients: `npm run bench:waiting [-- PART…]`,
 * parts `waiters`, `quota`, `sweep`, `fan-out`, `proxy`; without one, all of them (about ten minutes). Everything is
 * counted at the emulator. Exits with 1 when a promise is not kept.
 */
import { availableParallelism, loadavg } from "node:os";
import { fanOut } from "./fan-out.ts";
import { proxy } from "./proxy.ts";
import { quota } from "./quota.ts";
import { sweep } from "./sweep.ts";
import { waiters } from "./waiters.ts";

const parts: Record<string, () => Promise<boolean>> = { waiters, quota, sweep, "fan-out": fanOut, proxy };

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts);
// A machine that has other work tells nothing of times.
console.log(`load average ${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} cores`);
let kept = true;
for (const name of wanted) {
  const part = parts[name];
  if (!part) throw new Error(`${name} is no part; there are ${Object.keys(parts).join(", ")}`);
  console.log(`== ${name}`);
  if (!(await part())) {
    kept = false;
    console.log("   NOT KEPT");
  }
}
process.exit(kept ? 0 : 1);
