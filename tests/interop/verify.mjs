// Verifies tokens by `jose` and its remote key set: one JSON document on standard input, one line of answer.
//
// It must take what is good and refuse what is not: a library that takes everything would prove nothing.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { join } from "node:path";

const home = process.env.INTEROP_HOME;
const require = createRequire(pathToFileURL(join(home, "package.json")));
const { createRemoteJWKSet, jwtVerify } = await import(pathToFileURL(require.resolve("jose")).href);

const { jwks, issuer, audience, good, bad } = JSON.parse(readFileSync(0, "utf8"));
const keys = createRemoteJWKSet(new URL(jwks));
const options = { issuer, audience, typ: "at+jwt", requiredClaims: ["exp", "iat", "nbf", "jti", "sub", "client_id"] };

const { payload, protectedHeader } = await jwtVerify(good, keys, options);
let refused = 0;
for (const token of bad) {
  await jwtVerify(token, keys, options).catch(() => {
    refused += 1;
  });
}
if (refused !== bad.length) {
  throw new Error(`${bad.length - refused} bad tokens were taken`);
}
console.log(JSON.stringify({ alg: protectedHeader.alg, sub: payload.sub }));
