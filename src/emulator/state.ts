import type { Clock } from "../lib/clock.ts";
import { createDemo, type Demo } from "./demo.ts";
import { createFaults, type Faults } from "./faults.ts";
import type { FhirOperation } from "./fhir-operations.ts";
import type { Json } from "./json.ts";
import { type Random, seededRandom } from "./random.ts";
import { createRateLimiter, type RateLimiter } from "./rate-limiter.ts";
import { createRequestLog, type RequestLog } from "./request-log.ts";
import { changeSettings, DEFAULT_SETTINGS, type Settings } from "./settings.ts";
import { createStore, type Store } from "./store.ts";

/** How an emulator is set up; see docs/emulator.md. */
export interface EmulatorOptions {
  /** Time that operations live in. A simulated clock makes hours pass in milliseconds. */
  readonly clock: Clock;
  /** Ids, durations and delays come from here. Default: a fixed seed, the same on each run. */
  readonly random?: Random | undefined;
  /** Keeps the demo dataset populated. Default false. */
  readonly demo?: boolean | undefined;
  /** Settings at the start, in the form of the control endpoint, e.g. `{ rateLimit: { perSecond: 5 } }`. */
  readonly settings?: Json | undefined;
}

/** Everything that an emulator remembers. */
export interface State {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly fhir: Map<string, FhirOperation>;
  readonly faults: Faults;
  readonly log: RequestLog;
  readonly limiter: RateLimiter;
  settings: Settings;
  demo: Demo | undefined;
  /** Back to the beginning. */
  reset(): void;
}

/** Creates the state. Throws a RangeError where a setting is wrong. */
export function createState(options: EmulatorOptions): State {
  const { clock, random = seededRandom(1) } = options;
  const initialSettings = changeSettings(DEFAULT_SETTINGS, options.settings ?? {});
  const state: State = {
    clock,
    random,
    store: createStore(),
    fhir: new Map(),
    faults: createFaults(random),
    log: createRequestLog(),
    limiter: createRateLimiter(),
    settings: initialSettings,
    demo: undefined,
    reset() {
      state.store.clear();
      state.fhir.clear();
      state.faults.clear();
      state.log.clear();
      state.limiter.clear();
      state.settings = initialSettings;
      state.demo = options.demo ? createDemo(state.store, random, clock.now()) : undefined;
    },
  };
  state.reset();
  return state;
}
