/**
 * Writing a WebAssembly module's bytes from plain TypeScript, so that the portable twin needs no build tool.
 *
 * Owns: LEB128, sections, and an instruction writer that knows only the opcodes our kernels use.
 * Invariant: one exported memory of a fixed size, no imports; every function is exported by name.
 * Source: WebAssembly Core Specification 2.0, section 5 (binary format); SIMD opcodes from section 5.4.9.
 */

/** A value type's byte. */
export const I32 = 0x7f;
/** 128-bit vector. */
export const V128 = 0x7b;

/** Unsigned LEB128. */
export function unsignedLeb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

/** Signed LEB128 of a 32-bit integer (an unsigned one is read as its two's complement). */
export function signedLeb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

/** Writes the instructions of one function body. Each method appends one instruction and returns the writer. */
export class Code {
  readonly bytes: number[] = [];

  raw(...bytes: number[]): this {
    this.bytes.push(...bytes);
    return this;
  }
  get(local: number): this {
    return this.raw(0x20, ...unsignedLeb(local));
  }
  set(local: number): this {
    return this.raw(0x21, ...unsignedLeb(local));
  }
  tee(local: number): this {
    return this.raw(0x22, ...unsignedLeb(local));
  }
  i32(value: number): this {
    return this.raw(0x41, ...signedLeb(value));
  }
  add(): this {
    return this.raw(0x6a);
  }
  sub(): this {
    return this.raw(0x6b);
  }
  and(): this {
    return this.raw(0x71);
  }
  or(): this {
    return this.raw(0x72);
  }
  xor(): this {
    return this.raw(0x73);
  }
  shl(): this {
    return this.raw(0x74);
  }
  shrU(): this {
    return this.raw(0x76);
  }
  rotl(): this {
    return this.raw(0x77);
  }
  rotr(): this {
    return this.raw(0x78);
  }
  /** i32.load, any alignment. */
  load(offset: number): this {
    return this.raw(0x28, 0, ...unsignedLeb(offset));
  }
  /** i32.store, any alignment. */
  store(offset: number): this {
    return this.raw(0x36, 0, ...unsignedLeb(offset));
  }
  /** i32.load8_u. */
  loadByte(offset: number): this {
    return this.raw(0x2d, 0, ...unsignedLeb(offset));
  }
  /** One instruction of the vector prefix 0xfd. */
  simd(opcode: number, ...immediates: number[]): this {
    return this.raw(0xfd, ...unsignedLeb(opcode), ...immediates);
  }
  /** `while (counter != 0) { body; counter -= 1 }`. */
  countdown(counter: number, body: () => void): this {
    this.raw(0x02, 0x40, 0x03, 0x40).get(counter).raw(0x45, 0x0d, 1);
    body();
    return this.get(counter).i32(1).sub().set(counter).raw(0x0c, 0, 0x0b, 0x0b);
  }
}

/** One exported function: parameters are all i32, no result. */
export interface WasmFunction {
  readonly name: string;
  readonly parameterCount: number;
  /** Types of the locals after the parameters. */
  readonly locals: readonly number[];
  readonly code: Code;
}

type Bytes = readonly number[] | Uint8Array;

/** Bodies are tens of kilobytes, so they are joined as typed arrays, each byte copied a few times at most. */
function join(...parts: readonly Bytes[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

const section = (id: number, content: Bytes): Bytes => join([id], unsignedLeb(content.length), content);
const vector = (items: readonly Bytes[]): Bytes => join(unsignedLeb(items.length), ...items);
const nameBytes = (name: string): Bytes => {
  const bytes = new TextEncoder().encode(name);
  return join(unsignedLeb(bytes.length), bytes);
};

function bodyBytes({ locals, code }: WasmFunction): Bytes {
  const declared = vector(locals.map((type) => [1, type]));
  const size = declared.length + code.bytes.length + 1;
  return join(unsignedLeb(size), declared, code.bytes, [0x0b]);
}

/** The module's bytes: `functions` exported by name, and a memory of `pages` * 64 KiB exported as `memory`. */
export function moduleBytes(functions: readonly WasmFunction[], pages: number): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameterCount }) =>
    join([0x60, parameterCount], new Uint8Array(parameterCount).fill(I32), [0]),
  );
  const exported = functions.map(({ name }, index) => join(nameBytes(name), [0x00], unsignedLeb(index)));
  return join(
    [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    section(1, vector(types)),
    section(3, vector(functions.map((_, index) => unsignedLeb(index)))),
    section(5, [1, 0x01, ...unsignedLeb(pages), ...unsignedLeb(pages)]),
    section(7, vector([...exported, join(nameBytes('memory'), [0x02, 0x00])])),
    section(10, vector(functions.map(bodyBytes))),
  );
}

/** The part of the WebAssembly global we use; Node's type package does not declare it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object) => { readonly exports: Record<string, unknown> };
  readonly Memory: new (size: {
    readonly initial: number;
    readonly maximum: number;
  }) => { readonly buffer: ArrayBuffer };
};

export const PAGE_BYTES = 65_536;

/** A memory of so many pages, which begins with one of the system's. Throws where there is no WebAssembly, memory or address space. */
export function newMemory(pages: number): ArrayBuffer {
  return new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer;
}

/** An instance: its memory's bytes, and its functions. */
export interface WasmInstance {
  readonly memory: Uint8Array;
  call(name: string): (...parameters: number[]) => void;
}

/** Compiles and starts a module made by `moduleBytes`. Synchronous: a few milliseconds. */
export function instantiate(bytes: Uint8Array<ArrayBuffer>): WasmInstance {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const memory = exports.memory as { readonly buffer: ArrayBuffer };
  return {
    memory: new Uint8Array(memory.buffer),
    call: (name) => exports[name] as (...parameters: number[]) => void,
  };
}
