import { ownReason } from "../errors/reasons.ts";
import { codeName } from "../lib/code-names.ts";
import type { Loss } from "./reattach.ts";
import { printable } from "./table.ts";

/** What is said of a lost stream; `undefined` for one that ended because of its age, which is no news. */
export function lossRemark(command: "wait" | "watch", loss: Loss, delayMs: number): string | undefined {
  if (loss && ownReason(loss) === "STREAM_EXPIRED") return undefined;
  const why = loss ? `${codeName(loss.code)}: ${loss.rawMessage}` : "it ended before the operation did";
  return printable(`The ${command} was cut (${why}); attaching again in ${(delayMs / 1000).toFixed(1)} s.`);
}
