import { BlockList, isIP } from "node:net";

/** A TCP address to listen on. `host` is without the brackets of an IPv6 literal. */
export interface HostPort {
  readonly host: string;
  /** 0 to 65535; 0 takes a free port. */
  readonly port: number;
}

/** Reads `host:port` (`127.0.0.1:8080`, `localhost:0`, `[::1]:8080`). `undefined` for anything else. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text);
  if (!match) return undefined;
  const host = match[1] ?? match[2];
  const port = Number(match[3]);
  if (host === undefined || port > 65_535) return undefined;
  if (match[1] !== undefined && !host.includes(":")) return undefined;
  return { host, port };
}

/** Writes an address the way {@link parseHostPort} reads it. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** 0.0.0.0 and :: in any spelling: a listener's word for every address of the machine, which nobody can call. */
export function isAnyAddress(host: string): boolean {
  return isIP(host) !== 0 && ANY.check(host, isIP(host) === 6 ? "ipv6" : "ipv4");
}

const ANY = new BlockList();
ANY.addAddress("0.0.0.0");
ANY.addAddress("::", "ipv6");

/** 127.0.0.0/8 and ::1; IPv4-mapped IPv6 addresses are matched as the IPv4 address inside. */
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8);
LOOPBACK.addAddress("::1", "ipv6");

/**
 * Whether only this machine can reach the host: a loopback address or `localhost`. Other names count as reachable
 * from elsewhere, whatever they resolve to today.
 */
export function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host.toLowerCase() === "localhost";
  return LOOPBACK.check(host, family === 6 ? "ipv6" : "ipv4");
}
