import { type Reply, textReply } from "./reply.ts";

const PAGES: Readonly<Record<number, { title: string; text: (target: string, verb: string) => string }>> = {
  400: {
    title: "Bad Request",
    text: () => "Your client has issued a malformed or illegal request.",
  },
  404: {
    title: "Not Found",
    text: (target) => `The requested URL <code>${escapeHtml(target)}</code> was not found on this server.`,
  },
  405: {
    title: "Method Not Allowed",
    text: (target, verb) =>
      `The request method <code>${escapeHtml(verb)}</code> is inappropriate for the URL <code>${escapeHtml(target)}</code>.`,
  },
  411: {
    title: "Length Required",
    text: () => "POST requests require a <code>Content-length</code> header.",
  },
  413: {
    title: "Request Entity Too Large",
    text: () => "Your client issued a request that was too large.",
  },
  501: {
    title: "Not Implemented",
    text: () => "The server cannot process the request because it does not implement the request method.",
  },
  502: {
    title: "Server Error",
    text: () =>
      "The server encountered a temporary error and could not complete your request.<p>Please try again in 30 seconds.",
  },
  503: {
    title: "Service Unavailable",
    text: () => "The service you requested is not available at this time.<p>Please try again in 30 seconds.",
  },
};

/**
 * The page of the HTTP front end, which stands before every Google API and answers what never reaches the API: unknown
 * paths and versions (404), a POST without a length (411), trouble behind it (502). It is HTML, not JSON.
 */
export function frontEndPage(status: number, target = "/", verb = "GET"): Reply {
  const page = PAGES[status] ?? {
    title: "Error",
    text: () => "The server could not process your request.",
  };
  const html = `<!DOCTYPE html>
<html lang=en>
  <meta charset=utf-8>
  <meta name=viewport content="initial-scale=1, minimum-scale=1, width=device-width">
  <title>Error ${status} (${page.title})!!1</title>
  <style>
    *{margin:0;padding:0}html,code{font:15px/22px arial,sans-serif}html{background:#fff;color:#222;padding:15px}
    body{margin:7% auto 0;max-width:390px;min-height:180px;padding:30px 0 15px}p{margin:11px 0 22px;overflow:hidden}
  </style>
  <p><b>${status}.</b> <ins>That’s an error.</ins>
  <p>${page.text(target, verb)}  <ins>That’s all we know.</ins>
`;
  return textReply(status, "text/html; charset=UTF-8", html, { "referrer-policy": "no-referrer" });
}

function escapeHtml(text: string): string {
  return text
    .slice(0, 2048)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
