/** How a case ended. h2spec skips what a server gives it no occasion for: an answer that is too short, say. */
export type Verdict = "passed" | "skipped" | "failed";

/** The verdicts of one run by case, `http2/5.1: closed: Sends a DATA frame`, in the order of the run. */
export type Report = ReadonlyMap<string, Verdict>;

const CASE = /<testcase package="([^"]*)" classname="([^"]*)"[^>]*>([\s\S]*?)<\/testcase>/g;

/** The entities that h2spec writes (those of Go's encoding/xml). */
const ENTITIES: Readonly<Record<string, string>> = {
  "&#34;": '"',
  "&#39;": "'",
  "&lt;": "<",
  "&gt;": ">",
  "&amp;": "&",
};

/** Reads the JUnit report that h2spec writes with `-j`. Throws for one without cases, or with two of one name. */
export function readReport(xml: string): Report {
  const report = new Map<string, Verdict>();
  for (const [, section = "", title = "", content = ""] of xml.matchAll(CASE)) {
    const name = `${section}: ${title}`.replace(/&(?:#\d+|\w+);/g, (entity) => ENTITIES[entity] ?? entity);
    if (report.has(name)) throw new Error(`the report has two cases ${name}`);
    report.set(name, verdictOf(content));
  }
  if (report.size === 0) throw new Error("the report has no cases");
  return report;
}

function verdictOf(content: string): Verdict {
  if (content.includes("<skipped")) return "skipped";
  return /<(?:error|failure)\b/.test(content) ? "failed" : "passed";
}
