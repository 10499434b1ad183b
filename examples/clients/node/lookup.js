// Two resolvers live in Node: `dns.lookup`, which is the C library's and what `fetch` and
// `http.get` use, and `dns.resolve…`, which is c-ares: it sees TTLs and SRV, and takes a port.
//
//     node lookup.js lookup web.service.internal
//     node lookup.js resolve web.service.internal [SERVER[:PORT]]
//     node lookup.js services _web._tcp.service.internal [SERVER[:PORT]]
//     node lookup.js fetch http://web.service.internal:8080/
'use strict';
const dns = require('node:dns');
const http = require('node:http');

const [what, name, server] = process.argv.slice(2);
const resolver = new dns.promises.Resolver({ timeout: 1000, tries: 2 });
if (server) resolver.setServers([server]);

// The instances in the order of the record: by priority, and within one by chance and weight, so
// that taking the first one each time is all that it takes to honour weights.
async function services(name) {
  const found = await resolver.resolveSrv(name);
  return found.sort((a, b) => a.priority - b.priority);
}

function fetch(url) {
  return new Promise((resolve, reject) => {
    // Without `agent: false` a connection is kept, and its instance with it.
    const request = http.get(url, { agent: false, timeout: 2000 }, (reply) => {
      let text = '';
      reply.on('data', (part) => (text += part)).on('end', () => resolve(text.trim()));
    });
    request.on('timeout', () => request.destroy(new Error('timeout'))).on('error', reject);
  });
}

const actions = {
  // In the order of the answer; `verbatim` is the default from Node 17 on.
  lookup: async () => {
    const found = await dns.promises.lookup(name, { all: true, verbatim: true });
    return found.map((each) => each.address).join(' ');
  },
  resolve: async () => {
    const found = await resolver.resolve4(name, { ttl: true });
    return found.map((each) => `${each.address}/${each.ttl}`).join(' ');
  },
  services: async () => {
    const found = await services(name);
    return found.map((each) => `${each.name}:${each.port}/${each.weight}`).join('\n');
  },
  fetch: () => fetch(name),
};

actions[what]().then(
  (said) => console.log(said),
  (error) => {
    // ENOTFOUND: there is no such name. ENODATA (dns.resolve… alone): it has no such record.
    console.error(`${error.code}: ${error.message}`);
    process.exit({ ENOTFOUND: 2, ENODATA: 3, EAI_AGAIN: 4 }[error.code] ?? 1);
  },
);
