import { formatHostPort, parseHostPort } from "../config/host-port.ts";
import { DEMO_DATASET } from "../emulator/operation-spec.ts";

/** Commands that work as they are on a gateway with the embedded emulator, from the directory of the repository. */
export function linesToPaste(address: string): string {
  const origin = `http://${reachable(address)}`;
  const method = "google.longrunning.Operations/ListOperations";
  const body = JSON.stringify({ name: DEMO_DATASET, pageSize: 3 });
  return `
Connect, as JSON over HTTP:

  curl -s ${origin}/${method} -H 'content-type: application/json' -d '${body}'

gRPC:

  npx buf curl --http2-prior-knowledge --protocol grpc -d '${body}' ${origin}/${method}

The operator's client:

  bin/lro-gateway list ${DEMO_DATASET} --address ${reachable(address)}

`;
}

/** An address to call for one that is listened on: all interfaces include loopback. */
function reachable(address: string): string {
  const parsed = parseHostPort(address);
  if (parsed?.host === "0.0.0.0") return formatHostPort({ ...parsed, host: "127.0.0.1" });
  if (parsed?.host === "::") return formatHostPort({ ...parsed, host: "::1" });
  return address;
}
