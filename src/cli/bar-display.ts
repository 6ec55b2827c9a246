import type { WriteStream } from "node:tty";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { MultiBar, type SingleBar } from "cli-progress";
import { State } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { type Display, goneLine, progressText, type Sight, sightLine, stateName } from "./display.ts";
import { printable } from "./table.ts";

/** Steps of a bar. */
const STEPS = 1000;

/** Rows of the terminal that are left to lines when there are more operations than rows. */
const ROWS_FOR_LINES = 4;

/** Rows of a terminal that does not say, or says 0 as one without a window does. */
const DEFAULT_ROWS = 24;

/** Shows a bar for each operation that runs, as many as the terminal has rows for, and a line above for each end. */
export class BarDisplay implements Display {
  readonly #terminal: WriteStream;
  readonly #withNames: boolean;
  readonly #bars = new Map<string, SingleBar>();
  #multi: MultiBar | undefined;

  constructor(terminal: WriteStream, withNames: boolean) {
    this.#terminal = terminal;
    this.#withNames = withNames;
  }

  show(sight: Sight): void {
    const { name, state, progress } = sight;
    const shown = this.#bars.get(name);
    if (state !== State.RUNNING && state !== State.CANCELLING) {
      this.#line(sightLine(sight, this.#withNames));
      this.#remove(name);
      return;
    }
    const value = Math.round((progress?.fraction ?? 0) * STEPS);
    const payload = {
      state: stateName(state).padEnd(10),
      what: printable(progressText(progress)),
      name: this.#withNames ? `  ${printable(name.split("/").at(-1) ?? "")}` : "",
    };
    if (shown) shown.update(value, payload);
    else if (this.#bars.size < Math.max(1, (this.#terminal.rows || DEFAULT_ROWS) - ROWS_FOR_LINES))
      this.#bars.set(name, this.#open().create(STEPS, value, payload));
  }

  gone(name: string, why: string, readTime: Timestamp | undefined): void {
    this.#line(goneLine(name, why, readTime));
    this.#remove(name);
  }

  remark(text: string): void {
    this.#line(text);
  }

  close(): void {
    // Lines that wait for the next frame would be lost.
    this.#multi?.update();
    this.#multi?.stop();
    this.#multi = undefined;
    this.#bars.clear();
  }

  /** Bars and lines share the screen, so what stands above the bars is written by whoever draws them. */
  #line(text: string): void {
    if (this.#multi) this.#multi.log(`${text}\n`);
    else this.#terminal.write(`${text}\n`);
  }

  /** A bar that is gone makes room for another; without any, the terminal is given back. */
  #remove(name: string): void {
    const bar = this.#bars.get(name);
    if (!bar || !this.#multi) return;
    this.#bars.delete(name);
    if (this.#bars.size > 0) this.#multi.remove(bar);
    else this.close();
  }

  #open(): MultiBar {
    this.#multi ??= new MultiBar({
      stream: this.#terminal,
      format: "{state} [{bar}] {what}{name}",
      barsize: 30,
      barCompleteChar: "#",
      barIncompleteChar: ".",
      fps: 5,
      hideCursor: true,
      clearOnComplete: true,
      // Signals are the command's: it says what becomes of the operation, and then closes the display.
      gracefulExit: false,
    });
    return this.#multi;
  }
}
