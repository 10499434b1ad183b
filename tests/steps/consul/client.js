// What a program does with the npm package `consul`. `node client.js URL`
//
// Works against every server of Consul's interface; services are called `js-…` and gone at the end.
'use strict';

const assert = require('assert/strict');
const Consul = require('consul');

const at = new URL(process.argv[2]);
const consul = new Consul({ host: at.hostname, port: at.port });
// How long something may take that has no time of its own, in milliseconds.
const soon = 1000;

const note = (text) => console.log(`  ${text}`);
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));

async function waitUntil(condition, milliseconds = 10000) {
  const end = Date.now() + milliseconds;
  while (!(await condition())) {
    assert(Date.now() < end, `not within ${milliseconds} ms: ${condition}`);
    await pause();
  }
}

const ids = (rows) => rows.map((row) => row.Service.ID).sort();
const passing = async () => ids(await consul.health.service({ service: 'js-web', passing: true }));

async function registering() {
  await consul.agent.service.register({
    id: 'js-web-1', name: 'js-web', address: '10.1.2.3', port: 8080, tags: ['v1'],
    meta: { team: 'shop' }, check: { ttl: '60s', status: 'passing' },
  });
  await consul.agent.service.register({
    id: 'js-web-2', name: 'js-web', port: 8081, checks: [{ ttl: '60s' }, { ttl: '90s' }],
  });
  assert.deepEqual(await passing(), ['js-web-1']);
  const own = await consul.agent.services();
  assert.deepEqual(own['js-web-1'].Tags, ['v1']);
  assert.deepEqual(own['js-web-1'].Meta, { team: 'shop' });
  assert.equal(own['js-web-2'].Address, '');
  const checks = await consul.agent.checks();
  assert('service:js-web-2:1' in checks && 'service:js-web-2:2' in checks);
  assert.deepEqual((await consul.catalog.services())['js-web'], ['v1']);
  const rows = await consul.catalog.service.nodes('js-web');
  assert.deepEqual(rows.map((row) => row.ServicePort), [8080, 8081]);
  assert((await consul.catalog.datacenters()).includes('dc1'));
  const name = (await consul.agent.self()).Config.NodeName;
  assert((await consul.catalog.node.list()).some((node) => node.Node === name));
  assert('js-web-1' in (await consul.catalog.node.services(name)).Services);
  assert((await consul.agent.members()).some((member) => member.Name === name));
  assert(await consul.status.leader());
  note('registered, and found by agent, catalog and health');
}

async function ttl() {
  await consul.agent.check.pass('service:js-web-2:1');
  assert.deepEqual(await passing(), ['js-web-1'], 'one of two checks is passing');
  await consul.agent.check.pass({ id: 'service:js-web-2:2', note: 'all is well' });
  await waitUntil(async () => (await passing()).length === 2);
  await consul.agent.check.warn('service:js-web-2:1');
  await waitUntil(async () => (await passing()).length === 1);
  await consul.agent.check.fail('service:js-web-2:1');
  const critical = await consul.health.state('critical');
  assert(critical.some((check) => check.CheckID === 'service:js-web-2:1'));
  await consul.agent.service.deregister('js-web-2');
  await waitUntil(async () => (await consul.health.service('js-web')).length === 1);
  note('TTL checks of a service that has two');
}

// Its own words for an error: `response.statusCode`.
async function errors() {
  const refused = consul.agent.check.pass('service:js-nobody');
  await assert.rejects(refused, (error) => error.response.statusCode >= 400);
  assert.equal(await consul.kv.get('js/no/such/key'), undefined);
  note('errors have a status; a key that is not there is undefined');
}

async function watching() {
  const seen = [];
  const watch = consul.watch({
    method: consul.health.service, options: { service: 'js-web', wait: '30s' }, maxAttempts: 0,
  });
  watch.on('change', (rows) => seen.push({ ids: ids(rows), when: Date.now() }));
  watch.on('error', (error) => { throw error; });
  await waitUntil(() => seen.length === 1);
  assert.deepEqual(seen[0].ids, ['js-web-1']);
  // Others' changes are nothing to it.
  await consul.agent.service.register({ name: 'js-other' });
  await consul.agent.service.deregister('js-other');
  let before = Date.now();
  await consul.agent.service.register({ id: 'js-web-3', name: 'js-web', port: 9 });
  await waitUntil(() => seen.at(-1).ids.length === 2);
  assert(seen.at(-1).when - before < soon, `after ${seen.at(-1).when - before} ms`);
  before = Date.now();
  await consul.agent.service.deregister('js-web-3');
  await waitUntil(() => seen.at(-1).ids.length === 1);
  assert(seen.at(-1).when - before < soon, `after ${seen.at(-1).when - before} ms`);
  assert.equal(seen.length, 3, `three answers, not ${JSON.stringify(seen)}`);
  watch.end();
  note('a watch is told of each change of its service, and of nothing else');
}

async function maintenance() {
  await consul.agent.service.maintenance({ id: 'js-web-1', enable: true, reason: 'new disk' });
  await waitUntil(async () => (await passing()).length === 0);
  await consul.agent.service.maintenance({ id: 'js-web-1', enable: false });
  await waitUntil(async () => (await passing()).length === 1);
  await consul.agent.service.deregister('js-web-1');
  await waitUntil(async () => (await consul.health.service('js-web')).length === 0);
  note('maintenance, begun and ended');
}

(async () => {
  for (const part of [registering, ttl, errors, watching, maintenance]) await part();
  // A watch that has ended still has its last question open.
  process.exit(0);
})();
