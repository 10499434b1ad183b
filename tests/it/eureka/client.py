# A service that registers as an application of Eureka, by py-eureka-client, and tells what it sees.
import logging
import sys

from py_eureka_client import eureka_client

server, app, port = sys.argv[1:]
logging.disable(logging.CRITICAL)
eureka_client.init(
    eureka_server=server + "/eureka", app_name=app, instance_host="127.0.0.1",
    instance_ip="127.0.0.1", instance_port=int(port), renewal_interval_in_secs=1,
    duration_in_secs=3)
print("registered", flush=True)
for line in sys.stdin:
    if line == "stop\n":
        eureka_client.stop()
        print("stopped", flush=True)
        break
    application = eureka_client.get_client().applications.get_application(line.strip())
    found = application.up_instances if application else []
    print(" ".join(sorted(str(instance.port.port) for instance in found)), flush=True)
