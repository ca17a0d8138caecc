// Signed tokens, valid ones and invalid ones.

import { createHmac, generateKeyPairSync, sign as signature } from "node:crypto";

export const SECRET = "a secret of the tests, longer than 32 bytes";
export const HS256 = { "auth.mode": "jwt", "auth.secret": SECRET };

export const now = () => Math.floor(Date.now() / 1000);
export const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Signs a JSON Web Token (RFC 7519) by hand, so that any part can be invalid. */
export function token(claims, { alg = "HS256", key = SECRET, ...header } = {}) {
  return signed({ alg, typ: "JWT", ...header }, JSON.stringify({ exp: now() + 3_600, ...claims }), key);
}

/** The same, from claims as JSON text that no object can represent. */
export function signed(header, claims, key = SECRET) {
  const text = `${part(header)}.${Buffer.from(claims).toString("base64url")}`;
  const signatures = {
    none: () => Buffer.alloc(0),
    HS256: () => createHmac("sha256", key).update(text).digest(),
    RS256: () => signature("sha256", Buffer.from(text), key),
    ES256: () => signature("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }),
    EdDSA: () => signature(null, Buffer.from(text), key),
  };
  return `${text}.${signatures[header.alg]().toString("base64url")}`;
}

export const PAIRS = {
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  EdDSA: generateKeyPairSync("ed25519"),
};
export const pem = (alg) => PAIRS[alg].publicKey.export({ type: "spki", format: "pem" });
