/** Terraform's values on the wire: MessagePack, with what a plan does not know yet as an extension. */
import * as msgpack from "@msgpack/msgpack";

/** A value that is known only after the change has been made. */
export const UNKNOWN: unique symbol = Symbol("unknown");

export type Value =
  | null
  | boolean
  | number
  | string
  | typeof UNKNOWN
  | readonly Value[]
  | { readonly [key: string]: Value };

/** Types of extensions (github.com/zclconf/go-cty, cty/msgpack). Of a refined one it matters only that it is unknown. */
const Extension = { unknown: 0, refined: 12 } as const;

const extensionCodec = new msgpack.ExtensionCodec();
extensionCodec.register({
  type: Extension.unknown,
  encode: (value) => (value === UNKNOWN ? Uint8Array.of(0) : null),
  decode: () => UNKNOWN,
});
extensionCodec.register({ type: Extension.refined, encode: () => null, decode: () => UNKNOWN });

export const encode = (value: Value): Buffer => Buffer.from(msgpack.encode(value, { extensionCodec }));

export const decode = (bytes: Buffer): Value => msgpack.decode(bytes, { extensionCodec }) as Value;
