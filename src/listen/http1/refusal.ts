/**
 * Why bytes are not taken as a request: status code and reason phrase of the answer, or {@link FOREIGN}.
 */
export type Refusal = string;

export const BAD_REQUEST: Refusal = "400 Bad Request";
export const REQUEST_TIMEOUT: Refusal = "408 Request Timeout";
export const EXPECTATION_FAILED: Refusal = "417 Expectation Failed";
export const HEADERS_TOO_LARGE: Refusal = "431 Request Header Fields Too Large";
export const NOT_IMPLEMENTED: Refusal = "501 Not Implemented";

/**
 * The connection did not begin with a request line of HTTP/1, so that nobody there would read an answer in it: an
 * HTTP/2 caller with a broken preface, say, whose connection just ends (RFC 9113 §3.4).
 */
export const FOREIGN: Refusal = "";
