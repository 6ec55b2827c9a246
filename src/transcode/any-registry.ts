export { registry } from "../lib/any-registry.ts";
