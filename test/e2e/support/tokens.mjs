// JSON Web Tokens (RFC 7519), made by hand so that they can be made wrong.
import { createHmac, sign } from 'node:crypto';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

const SIGNERS = {
  HS256: (input, key) => createHmac('sha256', key).update(input).digest(),
  RS256: (input, key) => sign('sha256', Buffer.from(input), key),
  ES256: (input, key) => sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }),
  EdDSA: (input, key) => sign(null, Buffer.from(input), key),
  none: () => Buffer.alloc(0),
};

export const seconds = () => Math.floor(Date.now() / 1000);

/** A token with `claims`, signed with `key` as `alg` says. */
export function token(alg, key, claims) {
  const input = `${encode({ alg, typ: 'JWT' })}.${encode(claims)}`;
  return `${input}.${SIGNERS[alg](input, key).toString('base64url')}`;
}
