/** A character of a credential, also when JSON writes its slash escaped. */
const CHAR = String.raw`(?:[\w.~+/-]|\\/)`;

/**
 * What looks like a credential: Google access tokens (`ya29.`), API keys (`AIza`), JSON web tokens, and whatever
 * follows `Bearer`. Some servers repeat the token they refuse. Every repetition is bounded, so that no text, however
 * made, takes long.
 */
const CREDENTIAL = new RegExp(
  String.raw`\bya29\.${CHAR}+=*|\bAIza[\w-]{20,}|\beyJ[\w-]{5,1024}\.[\w-]{5,8192}\.[\w-]*|\b(Bearer(?:\s|\\[tnr]){1,8})${CHAR}{16,}=*`,
  "gi",
);

/** Takes credentials out of a text that is about to leave the gateway. JSON stays JSON. */
export function redact(text: string): string {
  return text.replace(CREDENTIAL, (_, bearer?: string) => `${bearer ?? ""}[credential removed]`);
}
