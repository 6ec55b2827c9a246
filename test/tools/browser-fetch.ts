/** Request headers that need no leave (https://fetch.spec.whatwg.org/#cors-safelisted-request-header). */
const SAFE_REQUEST_HEADERS = new Set(["accept", "accept-language", "content-language"]);

/** Response headers that a page may read without leave (https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name). */
const SAFE_RESPONSE_HEADERS = [
  "cache-control",
  "content-language",
  "content-length",
  "content-type",
  "expires",
  "last-modified",
  "pragma",
];

/**
 * Node's `fetch` for a page of this origin, with what a browser does beside it: a preflight before each request, no answer
 * for a page without leave, and no header that is not exposed.
 */
export function browserFetch(origin: string, preflights: string[] = []): typeof fetch {
  return async (input, init = {}) => {
    const headers = new Headers(init.headers);
    const method = init.method ?? "GET";
    const asked = [...headers.keys()].filter((name) => !SAFE_REQUEST_HEADERS.has(name)).sort();
    const url = String(input);
    const preflight = await fetch(url, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": method,
        "access-control-request-headers": asked.join(","),
      },
    });
    preflights.push(`${method} ${asked.join(",")}`);
    checkOrigin(preflight, origin);
    if (!preflight.ok) throw new TypeError(`the preflight was answered ${preflight.status}`);
    const allowed = listOf(preflight, "access-control-allow-headers");
    const refused = asked.filter((name) => !allowed.includes(name));
    if (refused.length > 0) throw new TypeError(`headers ${refused.join(", ")} are not allowed`);
    const methods = listOf(preflight, "access-control-allow-methods");
    if (method !== "POST" && method !== "GET" && !methods.includes(method.toLowerCase()))
      throw new TypeError(`${method} is not allowed`);
    headers.set("origin", origin);
    const answer = await fetch(input, { ...init, headers });
    checkOrigin(answer, origin);
    const exposed = new Set([...SAFE_RESPONSE_HEADERS, ...listOf(answer, "access-control-expose-headers")]);
    const visible = [...answer.headers].filter(([name]) => exposed.has(name));
    return new Response(answer.body, { status: answer.status, headers: visible });
  };
}

function checkOrigin(answer: Response, origin: string): void {
  if (answer.headers.get("access-control-allow-origin") !== origin)
    throw new TypeError(`the page ${origin} has no leave to read the answer ${answer.status}`);
}

function listOf(answer: Response, name: string): string[] {
  return (answer.headers.get(name) ?? "").split(",").map((one) => one.trim().toLowerCase());
}
