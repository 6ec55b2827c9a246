import { connect as connectTcp, isIP, type OnReadOpts, type Socket } from "node:net";
import { connect as connectTls, createSecureContext, type SecureContext } from "node:tls";

/** PEM texts for TLS to the upstream. */
export interface TlsMaterial {
  /** Certificate authorities to trust instead of the ones that ship with Node. */
  readonly ca?: string | undefined;
  /** The client's certificate chain and key, for mTLS. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Begins a connection; what it brings goes to `onread`. `ready` is called once requests may be written. */
export type Connect = (onread: OnReadOpts, ready: () => void) => Socket;

/** How long a connection is silent before the kernel asks whether its peer is still there: a NAT forgets in minutes. */
const PROBE_AFTER_MS = 60_000;

/** Returns how one connects to an origin, over TLS where it is `https`. */
export function connectTo(origin: URL, tls: TlsMaterial): Connect {
  const host = origin.hostname.replace(/^\[|\]$/g, "");
  const secure = origin.protocol === "https:";
  const address = { host, port: Number(origin.port || (secure ? 443 : 80)) };
  if (!secure) return (onread, ready) => tuned(connectTcp({ ...address, onread }, ready));
  const options = {
    ...address,
    // A name for the certificate and for SNI, which knows no addresses (RFC 6066 §3).
    ...(isIP(host) === 0 && { servername: host }),
    ALPNProtocols: ["http/1.1"],
  };
  let secureContext: SecureContext | undefined;
  // The last ticket of the upstream: a handshake that resumes costs half.
  let session: Buffer | undefined;
  return (onread, ready) => {
    // Made once: it reads all the authorities that Node trusts.
    secureContext ??= createSecureContext(definedOnly(tls));
    // Node's types do not know that TLS takes `onread`, too; its documentation does.
    const all = { ...options, ...(session && { session }), secureContext, onread };
    const socket = connectTls(all, ready);
    socket.on("session", (ticket) => {
      session = ticket;
    });
    return tuned(socket);
  };
}

function tuned(socket: Socket): Socket {
  // A request is written in one piece, and nothing comes after it to wait for.
  return socket.setNoDelay(true).setKeepAlive(true, PROBE_AFTER_MS);
}

/** Node's TLS tells an absent option from one that is undefined. */
export function definedOnly(tls: TlsMaterial): { ca?: string; cert?: string; key?: string } {
  return {
    ...(tls.ca !== undefined && { ca: tls.ca }),
    ...(tls.cert !== undefined && { cert: tls.cert }),
    ...(tls.key !== undefined && { key: tls.key }),
  };
}
