import {
  createFileRegistry,
  type DescMessage,
  type FileRegistry,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  type EnumDescriptorProto,
  EnumDescriptorProtoSchema,
  EnumValueDescriptorProtoSchema,
  type FieldDescriptorProto,
  FieldDescriptorProtoSchema,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  type FileDescriptorSet,
  MethodDescriptorProtoSchema,
  OneofDescriptorProtoSchema,
  type ServiceDescriptorProto,
  ServiceDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";

/**
 * Everything a set of descriptors states, as subject (`field google.rpc.Status.code`) → aspect (`number`) → value.
 *
 * The aspects are the fields of descriptor.proto itself, options and their extensions (`[google.api.http]`)
 * included, so that none can be forgotten. Left out are comments and the order of declarations, which neither the
 * wire nor JSON shows, and imports, whose effect shows in the type names.
 */
export type DescriptorFacts = ReadonlyMap<string, ReadonlyMap<string, string>>;

/**
 * States the facts of the named files of a descriptor set.
 *
 * @param registry Resolves extensions in options; built from `set` itself when left out.
 * @throws when a file is not in the set, or an option is of no known extension and could not be compared.
 */
export function descriptorFacts(
  set: FileDescriptorSet,
  files: readonly string[],
  registry: FileRegistry = createFileRegistry(set),
): DescriptorFacts {
  const facts = new Map<string, ReadonlyMap<string, string>>();
  for (const name of files) {
    const file = set.file.find((candidate) => candidate.name === name);
    if (file === undefined) throw new Error(`${name} is not in the descriptor set`);
    new Collector(facts, registry).file(file);
  }
  return facts;
}

/** Fields of descriptor.proto that hold other subjects, or nothing that a wire shows. */
const NOT_ASPECTS = new Set([
  ...["name", "messageType", "enumType", "service", "extension", "field", "nestedType", "oneofDecl", "value"],
  ...["method", "sourceCodeInfo", "dependency", "publicDependency", "weakDependency", "optionDependency"],
]);

class Collector {
  readonly #facts: Map<string, ReadonlyMap<string, string>>;
  readonly #registry: FileRegistry;

  constructor(facts: Map<string, ReadonlyMap<string, string>>, registry: FileRegistry) {
    this.#facts = facts;
    this.#registry = registry;
  }

  file(file: FileDescriptorProto): void {
    this.#state(`file ${file.name}`, FileDescriptorProtoSchema, file);
    for (const message of file.messageType) this.#message(file.package, message);
    for (const item of file.enumType) this.#enumeration(file.package, item);
    for (const service of file.service) this.#service(file.package, service);
    for (const extension of file.extension)
      this.#field(`extension ${file.package}.${extension.name}`, extension);
  }

  #message(scope: string, message: DescriptorProto): void {
    const name = `${scope}.${message.name}`;
    this.#state(`message ${name}`, DescriptorProtoSchema, message);
    for (const oneof of message.oneofDecl) {
      this.#state(`oneof ${name}.${oneof.name}`, OneofDescriptorProtoSchema, oneof);
    }
    for (const field of message.field) this.#field(`field ${name}.${field.name}`, field, message);
    for (const extension of message.extension) this.#field(`extension ${name}.${extension.name}`, extension);
    for (const nested of message.nestedType) this.#message(name, nested);
    for (const nested of message.enumType) this.#enumeration(name, nested);
  }

  #field(subject: string, field: FieldDescriptorProto, parent?: DescriptorProto): void {
    // A oneof is known by its name: its index is an accident of the order of declarations.
    const inOneof = parent !== undefined && Object.hasOwn(field, "oneofIndex");
    const oneof = inOneof ? parent.oneofDecl[field.oneofIndex]?.name : undefined;
    this.#state(subject, FieldDescriptorProtoSchema, field, oneof === undefined ? {} : { oneofIndex: oneof });
  }

  #enumeration(scope: string, item: EnumDescriptorProto): void {
    const name = `${scope}.${item.name}`;
    this.#state(`enum ${name}`, EnumDescriptorProtoSchema, item);
    for (const value of item.value) {
      this.#state(`enum value ${name}.${value.name}`, EnumValueDescriptorProtoSchema, value);
    }
  }

  #service(scope: string, service: ServiceDescriptorProto): void {
    const name = `${scope}.${service.name}`;
    this.#state(`service ${name}`, ServiceDescriptorProtoSchema, service);
    for (const method of service.method) {
      this.#state(`method ${name}.${method.name}`, MethodDescriptorProtoSchema, method);
    }
  }

  #state<Desc extends DescMessage>(
    subject: string,
    schema: Desc,
    descriptor: MessageShape<Desc> & { options?: Options | undefined },
    replaced: Record<string, unknown> = {},
  ): void {
    if (this.#facts.has(subject)) throw new Error(`${subject} is declared twice`);
    this.#refuseUnknownOptions(subject, descriptor.options);
    const json = toJson(schema, descriptor, { registry: this.#registry });
    const aspects = new Map<string, string>();
    for (const [aspect, value] of Object.entries({ ...Object(json), ...replaced })) {
      if (!NOT_ASPECTS.has(aspect)) aspects.set(aspect, canonical(value));
    }
    this.#facts.set(subject, aspects);
  }

  /** The JSON form drops extensions that are in no registry: they would compare as equal, unseen. */
  #refuseUnknownOptions(subject: string, options: Options | undefined): void {
    if (options === undefined) return;
    for (const { no } of options.$unknown ?? []) {
      const known = this.#registry.getExtensionFor(this.#schemaOf(options), no);
      if (known === undefined) throw new Error(`${subject} has option ${no}, which no import declares`);
    }
  }

  #schemaOf(options: Options): DescMessage {
    const schema = this.#registry.getMessage(options.$typeName);
    if (schema === undefined) throw new Error(`${options.$typeName} is not in the descriptor set`);
    return schema;
  }
}

interface Options {
  readonly $typeName: string;
  readonly $unknown?: readonly { readonly no: number }[] | undefined;
}

/** JSON text with sorted keys: equal values have equal texts. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    part !== null && typeof part === "object" && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
