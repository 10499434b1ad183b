// A service that registers as an application of Eureka, by eureka-js-client, and tells what it sees.
const readline = require('readline');
const { Eureka } = require('eureka-js-client');

const [server, app, port] = process.argv.slice(2);
const { hostname, port: serverPort } = new URL(server);
const quiet = () => {};
const client = new Eureka({
  logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  instance: {
    app, hostName: '127.0.0.1', ipAddr: '127.0.0.1', vipAddress: app,
    port: { $: Number(port), '@enabled': true },
    dataCenterInfo: {
      '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo', name: 'MyOwn',
    },
    leaseInfo: { renewalIntervalInSecs: 1, durationInSecs: 3 },
  },
  eureka: {
    host: hostname, port: Number(serverPort), servicePath: '/eureka/v2/apps/',
    heartbeatInterval: 1000, registryFetchInterval: 300, shouldUseDelta: true,
  },
});
client.start((error) => console.log(error ? String(error) : 'registered'));
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'stop') {
    client.stop((error) => { console.log(error ? String(error) : 'stopped'); process.exit(); });
    return;
  }
  const found = client.getInstancesByAppId(line).filter((instance) => instance.status === 'UP');
  console.log(found.map((instance) => instance.port.$).sort().join(' '));
});
