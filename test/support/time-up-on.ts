import type { WriteStream } from "node:tty";
import type { Clock, Timer } from "../../src/lib/clock.ts";

/** Time that stands still until a command has written something; then whatever was waited for is over. */
export class TimeUpOn implements Pick<Clock, "setTimer"> {
  private readonly pattern: RegExp;
  private text = "";
  private readonly waiting = new Set<() => void>();
  private readonly reactions: { readonly pattern: RegExp; readonly react: () => void }[] = [];

  /** `terminal`: what is drawn there counts as written. */
  constructor(pattern: RegExp, terminal?: WriteStream) {
    this.pattern = pattern;
    // A terminal's stream writes only; that of a test can be listened to.
    terminal?.on("data" as "pipe", (text: unknown) => this.wrote(String(text)));
  }

  /** Does something once such text has been written. */
  when(pattern: RegExp, react: () => void): this {
    this.reactions.push({ pattern, react });
    return this;
  }

  wrote(text: string): void {
    this.text += text;
    for (const reaction of this.reactions.filter(({ pattern }) => pattern.test(this.text))) {
      this.reactions.splice(this.reactions.indexOf(reaction), 1);
      reaction.react();
    }
    if (!this.pattern.test(this.text)) return;
    for (const fn of [...this.waiting]) fn();
    this.waiting.clear();
  }

  setTimer(_delayMs: number, fn: () => void): Timer {
    this.waiting.add(fn);
    return { cancel: () => this.waiting.delete(fn) };
  }
}
