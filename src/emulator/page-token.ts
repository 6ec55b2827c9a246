import { isJsonObject } from "./json.ts";

/** Where a page ends, and which list it belongs to. */
export interface PagePosition {
  /** Creation time and id of the last operation that was considered; the next page begins after it. */
  readonly createdAt: number;
  readonly id: string;
  /** The arguments that must not change from page to page (AIP-158). */
  readonly list: string;
}

/**
 * Makes a token that stays good whatever starts or ends meanwhile: it holds a place in the order, not an offset.
 */
export function formatPageToken(position: PagePosition): string {
  return Buffer.from(JSON.stringify([position.createdAt, position.id, position.list])).toString("base64url");
}

/** Reads a token; `undefined` when it was not made by {@link formatPageToken}. */
export function parsePageToken(token: string): PagePosition | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(token, "base64url").toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(value) || isJsonObject(value)) return undefined;
  const [createdAt, id, list] = value;
  return typeof createdAt === "number" && typeof id === "string" && typeof list === "string"
    ? { createdAt, id, list }
    : undefined;
}
