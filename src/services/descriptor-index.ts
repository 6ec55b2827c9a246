import {
  type DescFile,
  type DescMessage,
  type DescService,
  type Registry,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** Looks up protobuf files by what they declare: the questions of server reflection, without its messages. */
export class DescriptorIndex {
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();
  /** Extended message → extension number → file of the extension. */
  readonly #extensions = new Map<string, Map<number, DescFile>>();
  readonly #encoded = new Map<DescFile, Uint8Array>();

  /** Knows the files that declare the services and types, and all that these import. */
  constructor(services: Iterable<DescService>, types: Registry) {
    for (const { file } of services) this.#addFile(file);
    for (const { file } of types) this.#addFile(file);
  }

  /** The file that an `import` of that path means; with its `.proto`. */
  byPath(path: string): DescFile | undefined {
    return this.#files.get(path);
  }

  /** The file that declares a message, field, oneof, enum, enum value, service, method or extension of that full name. */
  bySymbol(fullName: string): DescFile | undefined {
    return this.#symbols.get(fullName);
  }

  /** The file that declares the extension of a message with that number. */
  byExtension(message: string, number: number): DescFile | undefined {
    return this.#extensions.get(message)?.get(number);
  }

  /** The numbers of all extensions of a message; `undefined` when there is no such message. */
  extensionNumbers(message: string): readonly number[] | undefined {
    const numbers = this.#extensions.get(message);
    if (numbers) return [...numbers.keys()];
    return this.#symbols.has(message) ? [] : undefined;
  }

  /** A file as a serialised FileDescriptorProto. The same array on each call; nobody may write to it. */
  encode(file: DescFile): Uint8Array {
    let bytes = this.#encoded.get(file);
    if (!bytes) {
      bytes = toBinary(FileDescriptorProtoSchema, file.proto);
      this.#encoded.set(file, bytes);
    }
    return bytes;
  }

  #addFile(file: DescFile): void {
    if (this.#files.has(pathOf(file))) return;
    this.#files.set(pathOf(file), file);
    for (const service of file.services) {
      this.#symbols.set(service.typeName, file);
      for (const method of service.methods) this.#symbols.set(`${service.typeName}.${method.name}`, file);
    }
    this.#addTypes(file, file);
    for (const imported of file.dependencies) this.#addFile(imported);
  }

  #addTypes(scope: DescFile | DescMessage, file: DescFile): void {
    const messages = scope.kind === "file" ? scope.messages : scope.nestedMessages;
    const enums = scope.kind === "file" ? scope.enums : scope.nestedEnums;
    const extensions = scope.kind === "file" ? scope.extensions : scope.nestedExtensions;
    for (const message of messages) {
      this.#symbols.set(message.typeName, file);
      for (const member of message.members) this.#symbols.set(`${message.typeName}.${member.name}`, file);
      this.#addTypes(message, file);
    }
    for (const type of enums) {
      this.#symbols.set(type.typeName, file);
      // Enum values live in the scope of their enum's parent, as in C++.
      const prefix = type.typeName.slice(0, -type.name.length);
      for (const value of type.values) this.#symbols.set(prefix + value.name, file);
    }
    for (const extension of extensions) {
      this.#symbols.set(extension.typeName, file);
      const extended = extension.extendee.typeName;
      const numbers = this.#extensions.get(extended) ?? new Map<number, DescFile>();
      this.#extensions.set(extended, numbers.set(extension.number, file));
    }
  }
}

/** What an `import` statement calls the file. */
function pathOf(file: DescFile): string {
  return file.proto.name;
}
