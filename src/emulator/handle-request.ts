import type { Clock } from "../lib/clock.ts";
import { authenticate } from "./authenticate.ts";
import { type EmulatorAnswer, type EmulatorRequest, type Exchange, openExchange } from "./exchange.ts";
import { faultReply } from "./fault-answer.ts";
import type { FaultSpec } from "./faults.ts";
import { frontEndPage } from "./front-end-page.ts";
import { perform } from "./perform.ts";
import { refusal } from "./refusal.ts";
import { refusalFacts } from "./refusal-facts.ts";
import { renderReply } from "./render-reply.ts";
import type { Reply } from "./reply.ts";
import type { Route } from "./route.ts";
import type { State } from "./state.ts";

/** The way of one request: log, fault, front end, authentication, quota, the method itself, and out. */
export async function handleRequest(state: State, request: EmulatorRequest): Promise<EmulatorAnswer> {
  const { clock, log } = state;
  const begin = clock.monotonic();
  const exchange = openExchange(request, requestId(state), clock.now());
  const { entry } = exchange;
  log.add(entry);
  request.onAbort?.(() => {
    entry.abortedAfterMs = clock.monotonic() - begin;
  });
  const fault = state.faults.strike({ ...entry, path: exchange.path }, begin);
  entry.fault = fault?.id;
  const { delayMs = 0, answerDelayMs = 0, delivery = {} } = fault?.spec ?? {};
  if (delayMs > 0) await sleep(clock, delayMs);
  const reply = answer(state, exchange, fault?.spec ?? {});
  if (answerDelayMs > 0) await sleep(clock, answerDelayMs);
  const isSilent = delivery.hang === "before-headers" || delivery.reset === "before-headers";
  log.answered(entry, isSilent ? undefined : reply.status, clock.monotonic() - begin);
  const { status, headers, body } = renderReply(reply, exchange.query);
  return { status, headers: { ...headers, "x-goog-request-id": entry.id }, body, delivery };
}

/** What the fault says, or the truth; a fault with an answer hides the truth, which may take effect all the same. */
function answer(state: State, exchange: Exchange, fault: FaultSpec): Reply {
  const applies = fault.apply ?? fault.answer === undefined;
  const truth = applies ? answerTruly(state, exchange, fault) : undefined;
  const { request, path, route } = exchange;
  if (fault.answer) {
    return faultReply(fault.answer, { ...refusalFacts(route), retryAfter: null }, path, request.verb);
  }
  // Without effect and without an answer of its own, a request is one that is never answered: see readFault.
  return truth ?? frontEndPage(502, path, request.verb);
}

function answerTruly(state: State, exchange: Exchange, fault: FaultSpec): Reply {
  const { request, path, query, route, page } = exchange;
  if (!route) return frontEndPage(page ?? 404, path, request.verb);
  const isMeasured = "content-length" in request.headers || "transfer-encoding" in request.headers;
  if (request.verb === "POST" && !isMeasured) return frontEndPage(411, path, request.verb);
  const { clock, settings } = state;
  const now = clock.now();
  state.demo?.advance(now);
  const { authorization } = request.headers;
  const { target, body } = request;
  const { staleMs = 0, emptyPage = false } = fault;
  return (
    authenticate(authorization, query, settings.auth, { ...refusalFacts(route), retryAfter: null }) ??
    refuseByRate(state, route) ??
    perform({ route, query, target, body, settings, now, staleMs, emptyPage }, state)
  );
}

/** 429 where the project has used up its quota in the location; another location is not affected. */
function refuseByRate(state: State, route: Route): Reply | undefined {
  const limit = state.settings.rateLimit;
  if (!limit?.methods.includes(route.method)) return undefined;
  const projectAndLocation = route.name.split("/").slice(0, 4).join("/");
  const waitMs = state.limiter.take(projectAndLocation, limit, state.clock.monotonic());
  if (waitMs === 0) return undefined;
  const seconds = limit.retryAfterSeconds;
  const retryAfter = seconds === undefined ? Math.max(1, Math.ceil(waitMs / 1000)) : seconds;
  return refusal("RATE_LIMIT_EXCEEDED", { ...refusalFacts(route), retryAfter });
}

function requestId(state: State): string {
  return Math.floor(state.random() * 2 ** 48)
    .toString(16)
    .padStart(12, "0");
}

function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(ms, resolve);
  });
}
