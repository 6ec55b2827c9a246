import { endOf, type OperationRecord } from "./operation.ts";

/** How long a finished operation can still be read: about 30 days, as Google documents. */
export const RETENTION_MS = 30 * 24 * 60 * 60 * 1000;

/** Operations that a store holds at most, finished ones included: about 200 MB, and more than any test needs. */
export const MAX_OPERATIONS = 200_000;

/** Datasets and their operations, in memory. Newest operation first. */
export interface Store {
  /** Names of all datasets, in the order in which they came. */
  datasets(): readonly string[];
  hasDataset(dataset: string): boolean;
  addDataset(dataset: string): void;
  /** Adds an operation, and its dataset where there is none yet. Throws a RangeError when the name is taken or it is full. */
  add(operation: OperationRecord): void;
  isFull(): boolean;
  /** `undefined` when there is none, or when its retention is over at the moment `at`. */
  find(name: string, at: number): OperationRecord | undefined;
  /** The dataset's operations that can be read at the moment `at`, newest first. */
  operations(dataset: string, at: number): readonly OperationRecord[];
  remove(name: string): void;
  clear(): void;
}

/** Creates an empty {@link Store} for `limit` operations. */
export function createStore(limit = MAX_OPERATIONS): Store {
  const byDataset = new Map<
    string,
    { byName: Map<string, OperationRecord>; sorted: OperationRecord[] | undefined }
  >();

  let size = 0;

  function addDataset(dataset: string) {
    let entry = byDataset.get(dataset);
    if (!entry) {
      entry = { byName: new Map(), sorted: undefined };
      byDataset.set(dataset, entry);
    }
    return entry;
  }

  return {
    datasets: () => [...byDataset.keys()],
    hasDataset: (dataset) => byDataset.has(dataset),
    addDataset: (dataset) => void addDataset(dataset),
    add(operation) {
      const entry = addDataset(operation.dataset);
      if (entry.byName.has(operation.name))
        throw new RangeError(`operation ${operation.name} exists already`);
      if (size >= limit)
        throw new RangeError(`the emulator holds ${limit} operations at most; remove some, or reset it`);
      size++;
      entry.byName.set(operation.name, operation);
      entry.sorted = undefined;
    },
    find(name, at) {
      const operation = byDataset.get(datasetOf(name))?.byName.get(name);
      return operation && !isExpired(operation, at) ? operation : undefined;
    },
    operations(dataset, at) {
      const entry = byDataset.get(dataset);
      if (!entry) return [];
      entry.sorted ??= [...entry.byName.values()].sort(newestFirst);
      return entry.sorted.some((operation) => isExpired(operation, at))
        ? entry.sorted.filter((operation) => !isExpired(operation, at))
        : entry.sorted;
    },
    remove(name) {
      const entry = byDataset.get(datasetOf(name));
      if (!entry?.byName.delete(name)) return;
      entry.sorted = undefined;
      size--;
    },
    isFull: () => size >= limit,
    clear() {
      byDataset.clear();
      size = 0;
    },
  };
}

/** The order of a list: by creation, newest first, ids as the tie break. */
export function newestFirst(
  a: { readonly createdAt: number; readonly id: string },
  b: { readonly createdAt: number; readonly id: string },
): number {
  return b.createdAt - a.createdAt || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);
}

function datasetOf(name: string): string {
  return name.slice(0, name.lastIndexOf("/operations/"));
}

function isExpired(operation: OperationRecord, at: number): boolean {
  return endOf(operation).at + RETENTION_MS <= at;
}
