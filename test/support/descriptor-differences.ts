import type { DescriptorFacts } from "./descriptor-facts.ts";

/**
 * Lists where a mirror differs from its original, one sentence each, sorted. Empty when they say the same.
 *
 * A renamed subject shows up twice: as missing under the one name and as unknown under the other.
 */
export function descriptorDifferences(mirror: DescriptorFacts, original: DescriptorFacts): string[] {
  const differences: string[] = [];
  for (const [subject, expected] of original) {
    const actual = mirror.get(subject);
    if (actual === undefined) {
      differences.push(`${subject} is missing`);
      continue;
    }
    for (const aspect of new Set([...expected.keys(), ...actual.keys()])) {
      const [is, shouldBe] = [actual.get(aspect) ?? "unset", expected.get(aspect) ?? "unset"];
      if (is !== shouldBe) differences.push(`${subject}: ${aspect} is ${is}, not ${shouldBe}`);
    }
  }
  for (const subject of mirror.keys()) {
    if (!original.has(subject)) differences.push(`${subject} is not in the original`);
  }
  return differences.sort();
}
