import consul, random, requests
c = consul.Consul(host='localhost', port=8500)
c.agent.service.register(name='payment-service', service_id='payment-1', address='localhost', port=8080,
                         check=consul.Check.http('http://localhost:8080/health', interval='10s'))
index, services = c.health.service('payment-service', passing=True)
s = random.choice(services)['Service']
requests.get(f"http://{s['Address']}:{s['Port']}/process-payment")
