declare const digestBrand: unique symbol;
/** `sha256:<64 hex>` or `sha512:<128 hex>`. Source: OCI image-spec, descriptor.md, "Digests". */
export type Digest = string & { readonly [digestBrand]: true };

const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

/** @throws RangeError when `text` is not a sha256 or sha512 digest in lower-case hex */
export function parseDigest(text: string): Digest {
  if (!isDigest(text)) {
    throw new RangeError(`digest ${JSON.stringify(text)} is not sha256:<64 hex> or sha512:<128 hex>`);
  }
  return text;
}
