/** Whether `close` is among the options of a `Connection` field (RFC 9110 §7.6.1). */
export function hasClose(connection: string | undefined): boolean {
  if (connection === undefined || connection === "keep-alive") return false;
  return connection.split(",").some((option) => option.trim().toLowerCase() === "close");
}
