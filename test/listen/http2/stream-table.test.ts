import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Http2Stream, type StreamOwner } from "../../../src/listen/http2/stream.ts";
import { type Ending, StreamTable } from "../../../src/listen/http2/stream-table.ts";
import { POST_HEAD } from "../../support/post-head.ts";

const owner: StreamOwner = {
  secure: false,
  peer: "test",
  sendLater() {},
  tellLater() {},
  cut() {},
  widen() {},
  open() {},
};
const stream = (id: number) => new Http2Stream(owner, id, POST_HEAD, 65_535);
const endings: Ending[] = ["complete", "reset by peer", "reset here"];

describe("StreamTable", () => {
  it("finds what is open and nothing else, like a Map, whatever comes and goes", () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(400), fc.nat(2)), { maxLength: 300 });
    fc.assert(
      fc.property(steps, (all) => {
        const table = new StreamTable();
        const model = new Map<number, Http2Stream>();
        for (const [add, n, ending] of all) {
          const id = 2 * n + 1;
          const known = model.get(id);
          if (add && !known) {
            const added = stream(id);
            table.add(added);
            model.set(id, added);
          } else if (!add && known) {
            table.remove(known, endings[ending] as Ending);
            model.delete(id);
            expect(table.endingOf(id)).toBeDefined();
          }
        }
        expect(table.size).toBe(model.size);
        expect(new Set(table.open())).toEqual(new Set(model.values()));
        for (let id = 1; id < 802; id += 2) if (table.get(id) !== model.get(id)) expect(id).toBe("found");
      }),
    );
  });

  it("remembers how the last streams of each kind ended, and forgets what was long ago", () => {
    const table = new StreamTable();
    const first = stream(1);
    table.add(first);
    table.remove(first, "reset here");
    for (let id = 3; id < 2_003; id += 2) table.remember(id, "complete");
    // A thousand calls that went well do not push out the one that was reset.
    expect(table.endingOf(1)).toBe("reset here");
    expect(table.endingOf(2_001)).toBe("complete");
    expect(table.endingOf(3)).toBeUndefined();
    table.remember(5, "reset by peer");
    expect(table.endingOf(5)).toBe("reset by peer");
  });

  it("does nothing for a stream that is out already", () => {
    const table = new StreamTable();
    const one = stream(1);
    table.add(one);
    table.remove(one, "complete");
    table.remove(one, "reset here");
    expect(table.size).toBe(0);
    expect(table.endingOf(1)).toBe("complete");
  });
});
