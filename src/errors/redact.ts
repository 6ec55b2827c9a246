/** A character of a credential, also when JSON writes its slash escaped. */
const CHAR = String.raw`(?:[\w.~+/-]|\\/)`;

/** The same without the dot, which may also end the sentence behind a credential. */
const CHAR_BUT_DOT = String.raw`(?:[\w~+/-]|\\/)`;

/**
 * What looks like a credential: Google access tokens (`ya29.`), API keys (`AIza`), and whatever follows `Bearer`. Some
 * servers repeat the token they refuse.
 */
const CREDENTIAL = new RegExp(
  String.raw`\bya29\.${CHAR}+=*|\bAIza[\w-]{20,}|\b(Bearer(?:\s|\\[tnr]){1,8})${CHAR}{16,}=*`,
  "gi",
);

/**
 * A JSON web token, in three parts or more; a word that only begins like one has nothing in the group. It is taken as a
 * whole all the same: a search that began again within it would cost the square of its length.
 */
const WEB_TOKEN = new RegExp(String.raw`\beyJ[\w-]{5,}(\.[\w-]{5,}\.(?:\.?${CHAR_BUT_DOT})*=*)?`, "gi");

const REMOVED = "[credential removed]";

/** Takes credentials out of a text that is about to leave the gateway. JSON stays JSON. */
export function redact(text: string): string {
  return text
    .replace(WEB_TOKEN, (word, rest?: string) => (rest === undefined ? word : REMOVED))
    .replace(CREDENTIAL, (_, bearer?: string) => (bearer ?? "") + REMOVED);
}
