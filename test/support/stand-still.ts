/** Stops this process, as a machine does that has no core for it or is moved: neither timers nor sockets are looked at. */
export function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
