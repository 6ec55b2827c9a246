/**
 * Response metadata of a call: gRPC custom metadata, HTTP headers for Connect. Names are lower-case; values are
 * printable ASCII (RFC 9110 field values). A plain list: a `Headers` object costs more than the rest of an answer.
 */
export class Metadata {
  readonly entries: [name: string, value: string][] = [];

  /** Replaces what is there under `name`. */
  set(name: string, value: string): void {
    for (const entry of this.entries)
      if (entry[0] === name) {
        entry[1] = value;
        return;
      }
    this.entries.push([name, value]);
  }

  /** Adds a line under `name`, beside those that are there. */
  append(name: string, value: string): void {
    this.entries.push([name, value]);
  }

  get(name: string): string | undefined {
    return this.entries.find(([known]) => known === name)?.[1];
  }
}
