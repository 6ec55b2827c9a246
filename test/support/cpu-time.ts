/**
 * CPU time of this process that `work` takes, milliseconds. What is computed is judged by it and not by the clock, which
 * goes on while other processes have the machine's cores.
 */
export function cpuMs(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1_000;
}
