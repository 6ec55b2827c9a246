import type { ProxyConfig } from "./config.ts";
import type { Environment } from "./environment-source.ts";

/**
 * The proxy variables of the environment. Lower case wins over upper case, as in curl
 * (https://curl.se/docs/manpage.html#ENVIRONMENT); an empty variable means no proxy.
 */
export function readProxies(env: Environment): ProxyConfig | undefined {
  const read = (name: string): string | undefined => (env[name] ?? env[name.toUpperCase()]) || undefined;
  const proxies = {
    httpsProxy: read("https_proxy"),
    httpProxy: read("http_proxy"),
    noProxy: read("no_proxy"),
  };
  return proxies.httpsProxy === undefined && proxies.httpProxy === undefined ? undefined : proxies;
}
