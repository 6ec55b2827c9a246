/** Receives the rest of a request that is answered already, or whose body does not matter: a Receiver that keeps nothing. */
export const IGNORE_REQUEST = { data(): void {}, complete(): void {}, drained(): void {}, closed(): void {} };
