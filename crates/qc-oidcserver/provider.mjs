// A real OpenID provider for the tests, on a free port of the loopback address. Settings are one line of JSON on stdin:
//   clients   as the library takes them, https://github.com/panva/node-oidc-provider
//   people    their claims by their subject
//   ttl       lifetimes in seconds by the library's names (AccessToken, …)
// It says `ready ISSUER` on stdout, and ends when stdin does. Further lines change the people: {"remove": SUBJECT},
// {"set": SUBJECT, "claims": {…}}; each is answered with `done`.
// Its one argument is the folder in which the library is installed.
//
// Nobody sees a page: the browser says who it is by the field `x-person`, and consents to everything; without the field
// it is somebody who declines.

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const library = pathToFileURL(`${process.argv[2]}/node_modules/oidc-provider/lib/index.js`);
const { default: Provider } = await import(library);

const lines = createInterface({ input: process.stdin });
lines.once('close', () => process.exit(0));
const read = lines[Symbol.asyncIterator]();
const settings = JSON.parse((await read.next()).value);
const people = new Map(Object.entries(settings.people ?? {}));
const told = ['email', 'email_verified', 'name', 'preferred_username', 'groups', 'person'];

const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: settings.clients,
  claims: { openid: ['sub'], profile: told, email: [], groups: [] },
  conformIdTokenClaims: false,
  scopes: ['openid', 'profile', 'email', 'groups', 'offline_access'],
  cookies: { keys: ['a key of the tests'] },
  ttl: { AccessToken: 600, IdToken: 600, RefreshToken: 3600, Session: 3600, Grant: 3600, Interaction: 600, ...settings.ttl },
  rotateRefreshToken: true,
  pkce: { required: () => true },
  // Those whom it tells of a logout are on the loopback address, which its own way of asking refuses.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  findAccount: (_, sub) =>
    people.has(sub) ? { accountId: sub, claims: () => ({ sub, ...people.get(sub) }) } : undefined,
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
});
for (const event of ['server_error', 'end_session.error', 'backchannel.error']) {
  provider.on(event, (_, error) => console.error(event, error));
}

async function interact(request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  const person = request.headers['x-person'];
  if (!person) {
    return provider.interactionFinished(request, response, { error: 'access_denied' });
  }
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId: person } });
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const grantId = await grant.save();
  return provider.interactionFinished(request, response, { consent: { grantId } });
}

const answer = provider.callback();
server.on('request', (request, response) => {
  if (!request.url.startsWith('/interaction/')) return answer(request, response);
  interact(request, response).catch((error) => {
    response.statusCode = 500;
    response.end(String(error));
  });
});
console.log(`ready ${issuer}`);

for await (const line of read) {
  const change = JSON.parse(line);
  if (change.remove) people.delete(change.remove);
  if (change.set) people.set(change.set, change.claims);
  console.log('done');
}
