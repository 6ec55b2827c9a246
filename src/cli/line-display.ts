import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { type Display, goneLine, type Sight, sightLine } from "./display.ts";
import type { CommandIo } from "./io.ts";

/** Shows each sight as a line on stdout, for files and pipes. */
export class LineDisplay implements Display {
  readonly #io: CommandIo;
  readonly #withNames: boolean;

  constructor(io: CommandIo, withNames: boolean) {
    this.#io = io;
    this.#withNames = withNames;
  }

  show(sight: Sight): void {
    this.#io.out(`${sightLine(sight, this.#withNames)}\n`);
  }

  gone(name: string, why: string, readTime: Timestamp | undefined): void {
    this.#io.out(`${goneLine(name, why, readTime)}\n`);
  }

  remark(text: string): void {
    this.#io.err(`${text}\n`);
  }

  close(): void {}
}

/** Shows nothing but remarks: what is printed instead is somebody else's. */
export class RemarkDisplay extends LineDisplay {
  constructor(io: CommandIo) {
    super(io, false);
  }

  override show(): void {}

  override gone(): void {}
}
